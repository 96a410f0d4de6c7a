"""Machines: what they are, their Vagrantfile, Vagrant, SSH, steps, providers and boxes."""

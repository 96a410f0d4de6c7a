"""Machines: what they are, the Vagrantfile that describes them, Vagrant, SSH, steps, providers and boxes."""

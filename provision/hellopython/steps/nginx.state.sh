#!/bin/bash
# What this step must find again next time: nginx runs, and starts with the machine.
systemctl show --property ActiveState,UnitFileState nginx

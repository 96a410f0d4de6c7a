#!/bin/bash
# What this step must find again next time: supervisor's file, and a program that runs.
sha256sum /etc/supervisor/conf.d/hellopython.conf
supervisorctl status hellopython | awk '{ print $2 }'

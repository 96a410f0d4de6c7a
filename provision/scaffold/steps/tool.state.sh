#!/bin/bash
# What this step must find again next time. When this prints something else, `lab up` runs the step again.
stat --format '%a %U' /usr/local/bin/say-hello
sha256sum /usr/local/bin/say-hello

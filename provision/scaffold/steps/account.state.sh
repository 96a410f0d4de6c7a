#!/bin/bash
# What this step must find again next time: the account. What is in the home is the student's.
getent passwd "$LAB_LOGIN"

#!/bin/sh
# What the worker of compose.yaml runs for each job: put your own in its place. The payload is on the standard input.
# Exit status 0: done, and the output is the job's result; 65: dead; any other: try again later.
payload=$(cat)
echo "attempt $WORKGATE_ATTEMPT at $WORKGATE_ID: $payload"

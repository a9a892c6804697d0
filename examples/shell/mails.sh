#!/bin/sh
# Sends mails: workgate work --queue mails --exec examples/shell/mails.sh
#
# The payload is on standard input. The exit status decides, unless a message on descriptor 3 does.
set -eu

mail=$(cat)
case $mail in
    *'"throttled":true'*)
        # The provider asked for a pause: that is no fault of the mail.
        echo '{"type":"release","delay":"6s"}' >&3
        ;;
    *'"to":'*)
        to=$(echo "$mail" | sed 's/.*"to":"\([^"]*\)".*/\1/')
        printf 'sent to %s' "$to"
        ;;
    *)
        echo '{"type":"dead","error":"the mail has no address","kind":"payload"}' >&3
        ;;
esac

"""Sends mails: `workgate work --queue mails --stdio "python3 examples/python/mails.py"`."""

from workgate_handler import Dead, Release, job, run


@job("mail")
def send(job):
    mail = job.json()
    if "to" not in mail:
        raise Dead("the mail has no address", kind="payload")
    if mail.get("throttled"):
        # The provider asked for a pause: that is no fault of the mail.
        raise Release(delay="6s")
    return "sent to %s" % mail["to"]


@job("import")
def import_rows(job):
    """Each row is done once, also when the worker is killed in the middle."""
    done = int(job.progress or 0)
    for row in range(done, int(job.payload)):
        with open("rows", "a") as rows:
            rows.write("%d\n" % row)
        job.save(row + 1)
        if job.cancelled:
            return "stopped behind row %d" % row


run()

// Sends mails: workgate work --queue mails --stdio "node examples/node/mails.mjs"

import { Dead, Release, job, run } from "./workgate-handler.mjs";

job("mail", async (job) => {
  const mail = job.json();
  if (!mail.to) throw new Dead("the mail has no address", { kind: "payload" });
  // The provider asked for a pause: that is no fault of the mail.
  if (mail.throttled) throw new Release({ delay: "6s" });
  return `sent to ${mail.to}`;
});

run();

<?php
// Sends mails: workgate work --queue mails --stdio "php examples/php/mails.php"
//
// The protocol is one JSON object a line each way; docs/worker-stdio.md describes it.

declare(strict_types=1);

function say(array $message): void
{
    fwrite(STDOUT, json_encode($message, JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR) . "\n");
    fflush(STDOUT);
}

/** The end of one job, without its run. */
function send(array $job): array
{
    $payload = $job['payload'] ?? base64_decode($job['payload_base64']);
    $mail = json_decode($payload, true, 512, JSON_THROW_ON_ERROR);
    if (!isset($mail['to'])) {
        return ['type' => 'dead', 'error' => 'the mail has no address', 'kind' => 'payload'];
    }
    if (!empty($mail['throttled'])) {
        // The provider asked for a pause: that is no fault of the mail.
        return ['type' => 'release', 'delay' => '6s'];
    }
    return ['type' => 'done', 'result' => "sent to {$mail['to']}"];
}

say(['type' => 'ready', 'protocol' => 1]);
while (($line = fgets(STDIN)) !== false) {
    $message = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    if ($message['type'] !== 'job') {
        continue;
    }
    try {
        $end = send($message);
    } catch (Throwable $error) {
        $end = ['type' => 'retry', 'error' => (string) $error, 'kind' => substr(get_class($error), 0, 64)];
    }
    say($end + ['run' => $message['run']]);
}

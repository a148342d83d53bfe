<?php

/**
 * Asks the register, sends a signed message, follows a delivery, verifies one.
 *
 *     php mm_client.php ask REGISTER SENDER RECIPIENT...
 *     php mm_client.php send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
 *     php mm_client.php follow MESSAGE SENDER ID
 *     php mm_client.php verify FILE CERTIFICATE...
 *
 * Exit status: 0 all is well, 1 the service answered with a fault or a signature is invalid, 2 anything else.
 */

declare(strict_types=1);

require_once __DIR__ . '/MinaMeddelanden.php';
require_once __DIR__ . '/Verification.php';

const FOLLOW_SECONDS = 60;

// A warning, such as that of a file that is not there, ends the program instead of standing in its output.
set_error_handler(function (int $level, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $level, $file, $line);
});

function ask(string $register, string $sender, string ...$recipients): void
{
    $answer = service($register)->isReachable(['senderOrgNr' => $sender, 'recipientId' => $recipients]);
    foreach ($answer->return ?? [] as $status) {
        echo $status->AccountStatus->RecipientId, isReachable($status) ? ' yes' : ' no', "\n";
    }
}

function send(
    string $message,
    string $certificate,
    string $key,
    string $recipient,
    string $subject,
    string $text,
    string $pdf,
): void {
    $pem = file_get_contents($certificate);
    $delivery = buildDelivery(
        $pem,
        $recipient,
        $subject,
        file_get_contents($text),
        basename($pdf),
        file_get_contents($pdf),
    );
    echo distributeSecure(service($message), sign($delivery, $pem, file_get_contents($key))), "\n";
}

function follow(string $message, string $sender, string $id): void
{
    echo followDelivery(service($message), $sender, $id, FOLLOW_SECONDS), "\n";
}

function verify(string $file, string ...$certificates): void
{
    $verified = (new Verification($certificates))->sealed(file_get_contents($file));
    echo "seal {$verified['seal']}\nsignature {$verified['signature']}\n";
}

/** Ends the program with one line on standard error. */
function fail(int $status, string $line): never
{
    fwrite(STDERR, preg_replace('/\s+/', ' ', trim($line)) . "\n");
    exit($status);
}

try {
    $arguments = array_slice($argv, 2);
    match ($argv[1] ?? '') {
        'ask' => ask(...$arguments),
        'send' => send(...$arguments),
        'follow' => follow(...$arguments),
        'verify' => verify(...$arguments),
        default => throw new InvalidArgumentException('the first argument is ask, send, follow or verify'),
    };
} catch (SoapFault $fault) {
    $typed = applicationFault($fault);
    if ($typed) {
        fail(1, "fault $typed->ErrorCode $typed->Description (CallId $typed->CallId)");
    }
    fail(2, "$fault->faultcode: {$fault->getMessage()}");
} catch (InvalidSignature $error) {
    fail(1, "invalid {$error->getMessage()}");
} catch (Throwable $error) {
    fail(2, $error::class . ": {$error->getMessage()}");
}

<?php

/**
 * Services of Mina meddelanden through SoapClient, and deliveries that xmlseclibs signs. To be copied.
 */

declare(strict_types=1);

use RobRichards\XMLSecLibs\XMLSecurityDSig;
use RobRichards\XMLSecLibs\XMLSecurityKey;

require_once __DIR__ . '/vendor/robrichards/xmlseclibs/xmlseclibs.php';

const SCHEMA = 'http://minameddelanden.gov.se/schema';
const MESSAGE_V1 = SCHEMA . '/Message';
const MESSAGE_V2 = SCHEMA . '/Message/v2';
const MESSAGE_V3 = SCHEMA . '/Message/v3';
const SENDER = SCHEMA . '/Sender';

const CONNECT_SECONDS = 10;
const ANSWER_SECONDS = 60;
const TRIES = 3;

/** The ErrorCode of a delivery that the dispatcher has not unpacked yet: ask later. */
const NOT_FINISHED = 5004;

/** Returns a client for the service at this address, made from the WSDL that the service shows there. */
function service(string $address): SoapClient
{
    // SoapClient has an option for connecting only. How long it waits for an answer is PHP's general setting.
    ini_set('default_socket_timeout', (string) ANSWER_SECONDS);
    return new SoapClient($address . '?wsdl', [
        // The address in a WSDL may be one that only the server's own network knows.
        'location' => $address,
        'connection_timeout' => CONNECT_SECONDS,
        // A list of one element is a list, too.
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        // A system that runs all day wants WSDL_CACHE_DISK, and a cache directory of its own.
        'cache_wsdl' => WSDL_CACHE_NONE,
    ]);
}

/** Returns the typed detail of a fault (ErrorCode, Description, CallId), or null where the service sent none. */
function applicationFault(SoapFault $fault): ?stdClass
{
    return $fault->detail->applicationFault ?? null;
}

/** Whether a message from the sender that was asked for would reach the recipient's mailbox. */
function isReachable(stdClass $status): bool
{
    // A pending account waits for signatures and has no mailbox yet.
    $account = $status->AccountStatus;
    return $account->Type === 'Secure' && !$account->Pending && $status->SenderAccepted;
}

/** Hands a signed delivery to the dispatcher and returns the distribution id. */
function distributeSecure(SoapClient $dispatcher, string $signedDelivery): string
{
    // The root is signed as SignedDelivery and travels as signedDelivery; receivers know that. The Signature is the last
    // child, so the end tag of the root is the last thing in the document.
    $payload = '<distributeSecure xmlns="' . MESSAGE_V3 . '"><signedDelivery'
        . substr($signedDelivery, strlen('<SignedDelivery'), -strlen('</SignedDelivery>'))
        . '</signedDelivery></distributeSecure>';
    for ($try = 1;; $try++) {
        try {
            // XSD_ANYXML puts the bytes into the request as they are. An array or object would be written anew.
            return $dispatcher->distributeSecure(new SoapVar($payload, XSD_ANYXML))->return;
        } catch (SoapFault $fault) {
            // SoapClient's own code for "no SOAP answer": nobody knows whether the delivery arrived. The same bytes again
            // are safe, the dispatcher gives the same id. Signed anew, they would be a second message.
            if ($fault->faultcode !== 'HTTP' || $try === TRIES) {
                throw $fault;
            }
            sleep($try);
        }
    }
}

/**
 * Returns the last status of a delivery: Delivered, DeliveryFailed, Pending, or, where there is no mailbox to deliver
 * to, the type Paper or Not. Asks again until the delivery has ended or the seconds are over.
 */
function followDelivery(SoapClient $dispatcher, string $sender, string $distributionId, int $seconds): string
{
    $stopAt = time() + $seconds;
    while (true) {
        try {
            $answer = $dispatcher->checkDistributionStatus(
                ['senderId' => $sender, 'distributionId' => $distributionId],
            );
            // A secure delivery has one recipient.
            $status = $answer->return[0]->DeliveryStatus ?? $answer->return[0]->Type;
            if ($status !== 'Pending' || time() >= $stopAt) {
                return $status;
            }
        } catch (SoapFault $fault) {
            // The detail is decoded without its schema: the code is a string.
            if ((int) applicationFault($fault)?->ErrorCode !== NOT_FINISHED || time() >= $stopAt) {
                throw $fault;
            }
        }
        sleep(1);
    }
}

/** Returns an unsigned SignedDelivery from the organisation in the certificate. */
function buildDelivery(
    string $certificate,
    string $recipient,
    string $subject,
    string $text,
    string $filename,
    string $pdf,
): DOMDocument {
    $organisation = openssl_x509_parse($certificate)['subject'];

    // Every element in a default namespace and none with a prefix: then all ways of computing the digest agree.
    $document = new DOMDocument();
    $root = $document->appendChild($document->createElementNS(MESSAGE_V3, 'SignedDelivery'));
    $delivery = add($root, MESSAGE_V3, 'Delivery');

    $header = add($delivery, MESSAGE_V3, 'Header');
    $sender = add($header, MESSAGE_V2, 'Sender');
    add($sender, SENDER, 'Id', $organisation['serialNumber']);
    add($sender, SENDER, 'Name', $organisation['O']);
    add($header, MESSAGE_V2, 'Recipient', $recipient);

    $message = add($delivery, MESSAGE_V3, 'Message');
    $header = add($message, MESSAGE_V3, 'Header');
    add($header, MESSAGE_V3, 'Id', uuid()); // The sender's own, and never the same again.
    add($header, MESSAGE_V3, 'Subject', $subject);
    add(add($header, MESSAGE_V3, 'Supportinfo'), MESSAGE_V3, 'Text', 'Kontakta oss om du har frågor.');
    add($header, MESSAGE_V3, 'Language', 'svSE');

    $body = add($message, MESSAGE_V3, 'Body');
    add($body, MESSAGE_V1, 'ContentType', 'text/plain');
    add($body, MESSAGE_V1, 'Body', base64_encode($text));

    $attachment = add($message, MESSAGE_V3, 'Attachment');
    add($attachment, MESSAGE_V1, 'ContentType', 'application/pdf');
    add($attachment, MESSAGE_V1, 'Body', base64_encode($pdf));
    // The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
    add($attachment, MESSAGE_V1, 'Checksum', md5($pdf));
    add($attachment, MESSAGE_V1, 'Filename', $filename);
    return $document;
}

/** Signs a delivery and returns its bytes. From here on nothing may write the XML anew. */
function sign(DOMDocument $delivery, string $certificate, string $privateKey): string
{
    if (!openssl_x509_check_private_key($certificate, $privateKey)) {
        throw new RuntimeException('the key does not belong to the certificate');
    }
    $key = new XMLSecurityKey(XMLSecurityKey::RSA_SHA256, ['type' => 'private']);
    $key->loadKey($privateKey);

    $signature = new XMLSecurityDSig(''); // A Signature without a prefix, like the rest.
    $signature->setCanonicalMethod(XMLSecurityDSig::EXC_C14N);
    // URI "" means the whole document; without force_uri there would be none. This one transform is all that every
    // receiver accepts.
    $signature->addReference(
        $delivery,
        XMLSecurityDSig::SHA256,
        ['http://www.w3.org/2000/09/xmldsig#enveloped-signature'],
        ['force_uri' => true],
    );
    $signature->sign($key, $delivery->documentElement);
    // The PEM file may hold intermediates after the signer's own certificate; KeyInfo takes only that one.
    openssl_x509_export($certificate, $signersOwn);
    $signature->add509Cert($signersOwn, true, false, ['subjectName' => true]);
    return $delivery->saveXML($delivery->documentElement);
}

function add(DOMElement $parent, string $namespace, string $name, string $text = ''): DOMElement
{
    $element = $parent->appendChild($parent->ownerDocument->createElementNS($namespace, $name));
    // createElementNS would read an & in its third argument as the beginning of an entity.
    $element->appendChild($parent->ownerDocument->createTextNode($text));
    return $element;
}

/** Returns a random UUID (version 4). */
function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

<?php

/**
 * Verification of a sealed delivery as it came: the dispatcher's seal and the sender's signature. To be copied.
 */

declare(strict_types=1);

use RobRichards\XMLSecLibs\XMLSecurityDSig;
use RobRichards\XMLSecLibs\XMLSecurityKey;

require_once __DIR__ . '/vendor/robrichards/xmlseclibs/xmlseclibs.php';

/** A signature is missing, does not verify, or was made by somebody who is not trusted. */
final class InvalidSignature extends RuntimeException
{
}

final class Verification
{
    private const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
    private const SERVICE_V3 = 'http://minameddelanden.gov.se/schema/Service/v3';
    private const MESSAGE_V3 = 'http://minameddelanden.gov.se/schema/Message/v3';
    private const DSIG = 'http://www.w3.org/2000/09/xmldsig#';

    private const ALGORITHMS = [XMLSecurityKey::RSA_SHA256, XMLSecurityKey::RSA_SHA384, XMLSecurityKey::RSA_SHA512];
    private const DIGESTS = [XMLSecurityDSig::SHA256, XMLSecurityDSig::SHA384, XMLSecurityDSig::SHA512];
    private const ENVELOPED = self::DSIG . 'enveloped-signature';
    private const CANONICALIZATIONS = [XMLSecurityDSig::EXC_C14N, XMLSecurityDSig::C14N];

    /** @param string[] $authorities PEM files of the authorities that are trusted; each may hold several */
    public function __construct(private readonly array $authorities)
    {
    }

    /**
     * Returns the organisation numbers of who sealed and who signed, and SealedDelivery as it was signed: read that, and
     * nothing of what came around it. That the one who sealed may dispatch for the sender, the register knows.
     *
     * @param string $content a request of deliverSecure as it came, or a SealedDelivery alone
     * @return array{seal: string, signature: string, sealed: DOMElement}
     */
    public function sealed(string $content): array
    {
        $element = $this->parse($content)->documentElement;
        if (!$this->is($element, self::MESSAGE_V3, 'SealedDelivery')) {
            $names = [[self::SOAP, 'Body'], [self::SERVICE_V3, 'deliverSecure'], [self::SERVICE_V3, 'deliverSecure']];
            foreach ($names as [$namespace, $name]) {
                $element = $this->only($element, $namespace, $name);
            }
        }
        [$sealed, $sealer] = $this->verify($element, 'SealedDelivery');
        [, $signer] = $this->verify($this->only($sealed, self::MESSAGE_V3, 'SignedDelivery'), 'SignedDelivery');
        return ['seal' => $sealer, 'signature' => $signer, 'sealed' => $sealed];
    }

    /** @return array{DOMElement, string} the root of the document that was signed, and the signer's number */
    private function verify(DOMElement $element, string $name): array
    {
        $certificate = $this->trustedCertificate($this->signatureOf($element, $name), $name);
        // Either what came was signed as it is, or SOAP software gave it prefixes that the signer did not write.
        foreach ([$this->asItCame($element, $name), $this->prefixFree($element, $name)] as $document) {
            if ($this->holds($document, $certificate, $name)) {
                // xmlseclibs takes the signature out: parse once more.
                $number = openssl_x509_parse($certificate)['subject']['serialNumber'];
                return [$this->parse($document)->documentElement, $number];
            }
        }
        throw new InvalidSignature("$name: the signature does not verify, its content was changed");
    }

    private function holds(string $document, string $certificate, string $name): bool
    {
        $root = $this->parse($document)->documentElement;
        $signature = new XMLSecurityDSig();
        // locateSignature() takes the first of the document, which is the inner one.
        $signature->sigNode = $this->signatureOf($root, $name);
        $signature->idKeys = ['Id'];
        $this->checkForm($signature->sigNode, $root->getAttribute('Id'), $name);
        $signature->canonicalizeSignedInfo();
        $key = $signature->locateKey();
        $key->loadKey($certificate, false, true);
        try {
            // 1 is true, 0 and -1 are not.
            return $signature->validateReference() && $signature->verify($key) === 1;
        } catch (Exception) {
            return false;
        }
    }

    /** "Valid" says that something was signed. This makes sure that it is the whole root, by accepted algorithms. */
    private function checkForm(DOMElement $signature, string $id, string $name): void
    {
        $values = fn (string $path): array => array_map(
            fn (DOMNode $node): string => $node->nodeValue,
            iterator_to_array($this->xpath($signature)->query($path, $signature)),
        );
        $transforms = $values('.//ds:Transform/@Algorithm');
        $uris = $values('.//ds:Reference/@URI');
        $accepted = count($uris) === 1 && in_array($uris[0], $id === '' ? [''] : ['', "#$id"], true)
            && $transforms[0] === self::ENVELOPED
            && array_diff(array_slice($transforms, 1), self::CANONICALIZATIONS) === [] && count($transforms) <= 2
            && array_diff($values('.//ds:CanonicalizationMethod/@Algorithm'), self::CANONICALIZATIONS) === []
            && array_diff($values('.//ds:SignatureMethod/@Algorithm'), self::ALGORITHMS) === []
            && array_diff($values('.//ds:DigestMethod/@Algorithm'), self::DIGESTS) === [];
        if (!$accepted) {
            throw new InvalidSignature("$name: the signature must have one reference, to the whole element, with SHA-2");
        }
    }

    private function signatureOf(DOMElement $element, string $name): DOMElement
    {
        $last = $element->lastElementChild;
        $found = $this->xpath($element)->query('./ds:Signature', $element);
        if ($found->length !== 1 || !$last->isSameNode($found[0])) {
            throw new InvalidSignature("$name: there must be one signature, as the last child");
        }
        return $last;
    }

    /** Returns the signer's certificate as PEM, after its way to a trusted authority was checked. */
    private function trustedCertificate(DOMElement $signature, string $name): string
    {
        $found = $this->xpath($signature)->query('./ds:KeyInfo/ds:X509Data/ds:X509Certificate', $signature);
        if ($found->length === 0) {
            throw new InvalidSignature("$name: the signature carries no certificate");
        }
        $base64 = preg_replace('/\s+/', '', $found[0]->textContent);
        $pem = "-----BEGIN CERTIFICATE-----\n" . chunk_split($base64, 64, "\n") . "-----END CERTIFICATE-----\n";
        if (openssl_x509_checkpurpose($pem, X509_PURPOSE_ANY, $this->authorities) !== true) {
            throw new InvalidSignature("$name: the certificate is not valid now, or from no trusted authority");
        }
        return $pem;
    }

    private function asItCame(DOMElement $element, string $name): string
    {
        // The name on the wire can have a prefix of its own. What the signer wrote, the first child tells.
        $prefix = $element->firstElementChild->prefix;
        $document = new DOMDocument();
        $root = $document->appendChild(
            $document->createElementNS(self::MESSAGE_V3, $prefix === '' ? $name : "$prefix:$name"),
        );
        foreach ($element->attributes as $attribute) {
            $root->setAttribute($attribute->nodeName, $attribute->value);
        }
        foreach ($element->childNodes as $child) {
            $root->appendChild($document->importNode($child, true));
        }
        return $document->saveXML($root);
    }

    private function prefixFree(DOMElement $element, string $name): string
    {
        $document = new DOMDocument();
        $this->copy($element, $document, self::MESSAGE_V3, $name);
        return $document->saveXML($document->documentElement);
    }

    private function copy(DOMElement $from, DOMNode $parent, string $namespace, string $name): void
    {
        $document = $parent->ownerDocument ?? $parent;
        $made = $parent->appendChild($document->createElementNS($namespace, $name));
        foreach ($from->attributes as $attribute) {
            $made->setAttribute($attribute->nodeName, $attribute->value);
        }
        foreach ($from->childNodes as $child) {
            if ($child instanceof DOMElement) {
                $this->copy($child, $made, (string) $child->namespaceURI, $child->localName);
            } else {
                $made->appendChild($document->importNode($child));
            }
        }
    }

    private function only(DOMElement $parent, string $namespace, string $name): DOMElement
    {
        $isIt = fn (DOMNode $each): bool => $each instanceof DOMElement && $this->is($each, $namespace, $name);
        $found = array_values(array_filter(iterator_to_array($parent->childNodes), $isIt));
        if (count($found) !== 1) {
            // More than one would be a wrapped copy.
            throw new InvalidSignature("there must be one $name in $parent->localName");
        }
        return $found[0];
    }

    private function is(DOMElement $element, string $namespace, string $name): bool
    {
        return $element->namespaceURI === $namespace && $element->localName === $name;
    }

    private function parse(string $content): DOMDocument
    {
        $document = new DOMDocument();
        // Without LIBXML_NOENT entities stay as they are, and a signature over them does not verify.
        $document->loadXML($content, LIBXML_NONET | LIBXML_PARSEHUGE);
        return $document;
    }

    private function xpath(DOMElement $element): DOMXPath
    {
        $xpath = new DOMXPath($element->ownerDocument);
        $xpath->registerNamespace('ds', self::DSIG);
        return $xpath;
    }
}

// Verification of a sealed delivery as it came: the dispatcher's seal and the sender's signature. To be copied.

import { X509Certificate } from 'node:crypto';

import { DOMParser, XMLSerializer } from '@xmldom/xmldom';
import { SignedXml } from 'xml-crypto';

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const SERVICE_V3 = 'http://minameddelanden.gov.se/schema/Service/v3';
const MESSAGE_V3 = 'http://minameddelanden.gov.se/schema/Message/v3';
const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
const XMLNS = 'http://www.w3.org/2000/xmlns/';

const SIGNATURE_METHODS = ['256', '384', '512'].map((bits) => `http://www.w3.org/2001/04/xmldsig-more#rsa-sha${bits}`);
const DIGESTS = [
  'http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmldsig-more#sha384',
  'http://www.w3.org/2001/04/xmlenc#sha512',
];
const ENVELOPED = `${DSIG}enveloped-signature`;
const CANONICALIZATIONS = ['http://www.w3.org/2001/10/xml-exc-c14n#', 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'];

/** A signature is missing, does not verify, or was made by somebody who is not trusted. */
export class InvalidSignature extends Error {}

/** Return the certificates of authorities in PEM texts, each of which may hold several. */
export function authorities(...pems) {
  const blocks = pems.flatMap((pem) => String(pem).match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []);
  return blocks.map((block) => new X509Certificate(block));
}

/**
 * Verify the seal, and then the sender's signature in what the seal covers.
 *
 * The content is a request of deliverSecure as it came, or a SealedDelivery alone. Return the organisation numbers of who
 * sealed and who signed, and SealedDelivery as it was signed, as text: read that, and nothing of what came around it. That
 * the one who sealed may dispatch for the sender, the register knows.
 */
export function verifySealed(content, trusted) {
  let element = parse(content);
  if (!is(element, MESSAGE_V3, 'SealedDelivery')) {
    const path = [[SOAP, 'Body'], [SERVICE_V3, 'deliverSecure'], [SERVICE_V3, 'deliverSecure']];
    element = path.reduce((parent, [namespace, name]) => only(parent, namespace, name), element);
  }
  const seal = verify(element, 'SealedDelivery', trusted);
  const signature = verify(only(parse(seal.document), MESSAGE_V3, 'SignedDelivery'), 'SignedDelivery', trusted);
  return { seal: seal.signer, signature: signature.signer, sealed: seal.document };
}

function verify(element, name, trusted) {
  const certificate = trustedCertificate(signatureOf(element, name), name, trusted);
  // Either what came was signed as it is, or SOAP software gave it prefixes that the signer did not write.
  for (const write of [asItCame, prefixFree]) {
    const document = write(element, name);
    if (holds(document, certificate, name)) {
      return { document, signer: certificate.toLegacyObject().subject.serialNumber };
    }
  }
  throw new InvalidSignature(`${name}: the signature does not verify, its content was changed`);
}

function holds(document, certificate, name) {
  const root = parse(document);
  const node = signatureOf(root, name);
  checkForm(node, root.getAttribute('Id'), name);
  // By itself xml-crypto would take the key of any certificate in KeyInfo.
  const signature = new SignedXml({ publicCert: certificate.toString(), getCertFromKeyInfo: () => null });
  signature.loadSignature(node);
  try {
    return signature.checkSignature(document);
  } catch {
    return false;
  }
}

/** "Valid" says that something was signed. This makes sure that it is the whole root, by accepted algorithms. */
function checkForm(signature, id, name) {
  const algorithms = (tag) => all(signature, tag).map((each) => each.getAttribute('Algorithm'));
  const references = all(signature, 'Reference');
  const transforms = algorithms('Transform');
  const accepted = references.length === 1
    && ['', ...(id ? [`#${id}`] : [])].includes(references[0].getAttribute('URI'))
    && transforms[0] === ENVELOPED && transforms.length <= 2
    && transforms.slice(1).every((each) => CANONICALIZATIONS.includes(each))
    && algorithms('CanonicalizationMethod').every((each) => CANONICALIZATIONS.includes(each))
    && algorithms('SignatureMethod').every((each) => SIGNATURE_METHODS.includes(each))
    && algorithms('DigestMethod').every((each) => DIGESTS.includes(each));
  if (!accepted) {
    throw new InvalidSignature(`${name}: the signature must have one reference, to the whole element, with SHA-2`);
  }
}

function signatureOf(element, name) {
  const signatures = children(element).filter((each) => is(each, DSIG, 'Signature'));
  if (signatures.length !== 1 || signatures[0] !== children(element).at(-1)) {
    throw new InvalidSignature(`${name}: there must be one signature, as the last child`);
  }
  return signatures[0];
}

/** Return the signer's certificate, after its way to a trusted authority was checked. */
function trustedCertificate(signature, name, trusted) {
  const found = all(signature, 'X509Certificate').map((each) => new X509Certificate(Buffer.from(each.textContent, 'base64')));
  if (!found.length) throw new InvalidSignature(`${name}: the signature carries no certificate`);
  const now = Date.now();
  const valid = (each) => Date.parse(each.validFrom) <= now && now <= Date.parse(each.validTo);
  const issued = (each, issuer) => issuer.ca && valid(issuer) && each.checkIssued(issuer) && each.verify(issuer.publicKey);
  // Node has no function for a whole path: step from each certificate to its issuer, until an authority is reached.
  let last = found[0];
  for (let steps = 0; valid(last) && steps <= found.length; steps++) {
    if (trusted.some((authority) => issued(last, authority))) return found[0];
    const next = found.find((each) => issued(last, each));
    if (!next) break;
    last = next;
  }
  throw new InvalidSignature(`${name}: the certificate is not valid now, or from no trusted authority`);
}

function asItCame(element, name) {
  // The name on the wire can have a prefix of its own. What the signer wrote, the first child tells.
  const { prefix } = children(element)[0];
  const document = parse('<none/>').ownerDocument;
  const root = document.createElementNS(MESSAGE_V3, prefix ? `${prefix}:${name}` : name);
  document.replaceChild(root, document.documentElement);
  for (const attribute of Array.from(element.attributes)) {
    if (attribute.name !== 'xmlns') root.setAttributeNS(attribute.namespaceURI, attribute.name, attribute.value);
  }
  for (const child of Array.from(element.childNodes)) root.appendChild(document.importNode(child, true));
  return new XMLSerializer().serializeToString(root);
}

function prefixFree(element, name) {
  const document = parse('<none/>').ownerDocument;
  document.removeChild(document.documentElement);
  copy(element, document, MESSAGE_V3, name);
  return new XMLSerializer().serializeToString(document);
}

function copy(from, parent, namespace, name) {
  const document = parent.ownerDocument ?? parent;
  const made = parent.appendChild(document.createElementNS(namespace, name));
  for (const attribute of Array.from(from.attributes)) {
    if (attribute.namespaceURI !== XMLNS) made.setAttributeNS(attribute.namespaceURI, attribute.name, attribute.value);
  }
  for (const child of Array.from(from.childNodes)) {
    if (child.nodeType === child.ELEMENT_NODE) copy(child, made, child.namespaceURI, child.localName);
    else made.appendChild(document.importNode(child, true));
  }
}

function children(element) {
  return Array.from(element.childNodes).filter((each) => each.nodeType === each.ELEMENT_NODE);
}

function all(element, name) {
  return Array.from(element.getElementsByTagNameNS(DSIG, name));
}

function only(parent, namespace, name) {
  const found = children(parent).filter((each) => is(each, namespace, name));
  // More than one would be a wrapped copy.
  if (found.length !== 1) throw new InvalidSignature(`there must be one ${name} in ${parent.localName}`);
  return found[0];
}

function is(element, namespace, name) {
  return element.namespaceURI === namespace && element.localName === name;
}

function parse(content) {
  const stop = (message) => { throw new Error(message); };
  const errors = { warning: stop, error: stop, fatalError: stop };
  return new DOMParser({ errorHandler: errors }).parseFromString(String(content), 'text/xml').documentElement;
}

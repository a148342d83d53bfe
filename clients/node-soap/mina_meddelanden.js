// Services of Mina meddelanden through node-soap, and deliveries that xml-crypto signs. To be copied.

import { createHash, createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import { createClientAsync } from 'soap';
import { SignedXml } from 'xml-crypto';

const SCHEMA = 'http://minameddelanden.gov.se/schema';
const MESSAGE_V1 = `${SCHEMA}/Message`;
const MESSAGE_V2 = `${SCHEMA}/Message/v2`;
const MESSAGE_V3 = `${SCHEMA}/Message/v3`;
const SENDER = `${SCHEMA}/Sender`;

// node-soap waits for ever unless it is told how long; the setting is one of each call.
const TIME_LIMIT = { timeout: 60_000 };
const TRIES = 3;

/** The ErrorCode of a delivery that the dispatcher has not unpacked yet: ask later. */
const NOT_FINISHED = 5004;

/** Return a client for the service at this address, made from the WSDL that the service shows there. */
export function service(address) {
  // The address in a WSDL may be one that only the server's own network knows.
  return createClientAsync(`${address}?wsdl`, { endpoint: address, wsdl_options: TIME_LIMIT });
}

/** Return the typed detail of a fault (ErrorCode, Description, CallId), or undefined where the service sent none. */
export function applicationFault(error) {
  return error.root?.Envelope?.Body?.Fault?.detail?.applicationFault;
}

/** Ask the register about recipients, at most 1000 in one call. Return their statuses in the order asked. */
export async function isReachable(register, sender, recipients) {
  const [answer] = await register.isReachableAsync({ senderOrgNr: sender, recipientId: recipients }, TIME_LIMIT);
  return answer.return;
}

/** Return whether a message from the sender that was asked for would reach the recipient's mailbox. */
export function reachable(status) {
  // A pending account waits for signatures and has no mailbox yet.
  const account = status.AccountStatus;
  return account.Type === 'Secure' && !isTrue(account.Pending) && isTrue(status.SenderAccepted);
}

/** Read an xs:boolean: node-soap leaves these as strings, and the string "false" is true to JavaScript. */
function isTrue(value) {
  return ['true', '1'].includes(String(value));
}

/** Hand a signed delivery to the dispatcher and return the distribution id. */
export async function distributeSecure(dispatcher, signedDelivery) {
  // The root is signed as SignedDelivery and travels as signedDelivery; receivers know that. The Signature is the last
  // child, so the end tag of the root is the last thing in the document.
  const inside = signedDelivery.slice('<SignedDelivery'.length, -'</SignedDelivery>'.length);
  const payload = `<distributeSecure xmlns="${MESSAGE_V3}"><signedDelivery${inside}</signedDelivery></distributeSecure>`;
  for (let tried = 1; ; tried++) {
    try {
      // _xml becomes the content of the SOAP body as it is. Any other argument would be written anew.
      const [answer] = await dispatcher.distributeSecureAsync({ _xml: payload }, TIME_LIMIT);
      return answer.return;
    } catch (error) {
      // A fault is an answer. After anything else nobody knows whether the delivery arrived. The same bytes again are
      // safe, the dispatcher gives the same id. Signed anew, they would be a second message.
      if (error.root || tried === TRIES) throw error;
      await pause(tried * 1000);
    }
  }
}

/**
 * Return the last status of a delivery: Delivered, DeliveryFailed, Pending, or, where there is no mailbox to deliver to,
 * the type Paper or Not. Ask again until the delivery has ended or the seconds are over.
 */
export async function followDelivery(dispatcher, sender, distributionId, seconds) {
  const stopAt = Date.now() + seconds * 1000;
  for (;;) {
    try {
      const question = { senderId: sender, distributionId };
      const [answer] = await dispatcher.checkDistributionStatusAsync(question, TIME_LIMIT);
      // A secure delivery has one recipient.
      const [status] = answer.return;
      const said = status.DeliveryStatus ?? status.Type;
      if (said !== 'Pending' || Date.now() >= stopAt) return said;
    } catch (error) {
      if (Number(applicationFault(error)?.ErrorCode) !== NOT_FINISHED || Date.now() >= stopAt) throw error;
    }
    await pause(1000);
  }
}

/** Return a signed delivery from the organisation in the certificate. From here on nothing may write the XML anew. */
export function signedDelivery(certificatePem, privateKeyPem, recipient, subject, text, filename, pdf) {
  // The first certificate of the file is the signer's own; intermediates may follow.
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.checkPrivateKey(createPrivateKey(privateKeyPem))) {
    throw new Error('the key does not belong to the certificate');
  }
  const signature = new SignedXml({
    privateKey: privateKeyPem,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: 'http://www.w3.org/2001/10/xml-exc-c14n#',
    getKeyInfoContent: () => x509Data(certificate),
  });
  signature.addReference({
    xpath: '/*',
    isEmptyUri: true, // URI "" means the whole document.
    // This one transform is all that every receiver accepts.
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature'],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
  });
  const delivery = unsignedDelivery(certificate, recipient, subject, text, filename, pdf);
  signature.computeSignature(delivery, { location: { reference: '/*', action: 'append' } });
  return signature.getSignedXml();
}

function unsignedDelivery(certificate, recipient, subject, text, filename, pdf) {
  const organisation = certificate.toLegacyObject().subject;
  // The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
  const checksum = createHash('md5').update(pdf).digest('hex');
  // Every element in a default namespace and none with a prefix: then all ways of computing the digest agree. The
  // message's Id is the sender's own, and never the same again.
  return `<SignedDelivery xmlns="${MESSAGE_V3}"><Delivery>`
    + `<Header><Sender xmlns="${MESSAGE_V2}">`
    + `<Id xmlns="${SENDER}">${escaped(organisation.serialNumber)}</Id>`
    + `<Name xmlns="${SENDER}">${escaped(organisation.O)}</Name>`
    + `</Sender><Recipient xmlns="${MESSAGE_V2}">${escaped(recipient)}</Recipient></Header>`
    + `<Message><Header><Id>${randomUUID()}</Id><Subject>${escaped(subject)}</Subject>`
    + '<Supportinfo><Text>Kontakta oss om du har frågor.</Text></Supportinfo><Language>svSE</Language></Header>'
    + `<Body><ContentType xmlns="${MESSAGE_V1}">text/plain</ContentType>`
    + `<Body xmlns="${MESSAGE_V1}">${text.toString('base64')}</Body></Body>`
    + `<Attachment><ContentType xmlns="${MESSAGE_V1}">application/pdf</ContentType>`
    + `<Body xmlns="${MESSAGE_V1}">${pdf.toString('base64')}</Body>`
    + `<Checksum xmlns="${MESSAGE_V1}">${checksum}</Checksum>`
    + `<Filename xmlns="${MESSAGE_V1}">${escaped(filename)}</Filename></Attachment>`
    + '</Message></Delivery></SignedDelivery>';
}

function x509Data(certificate) {
  // Node names the subject from its root down, one part a line; X509SubjectName goes the other way, with commas.
  const subject = certificate.subject.split('\n').reverse().join(',');
  return `<X509Data><X509SubjectName>${escaped(subject)}</X509SubjectName>`
    + `<X509Certificate>${certificate.raw.toString('base64')}</X509Certificate></X509Data>`;
}

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
  return text.replace(/[&<>\r]/g, (character) => entities[character]);
}

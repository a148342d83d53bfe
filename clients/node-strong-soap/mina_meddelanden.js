// Services of Mina meddelanden through strong-soap: asking the register and following a delivery. To be copied.

import { setTimeout as pause } from 'node:timers/promises';

import strongSoap from 'strong-soap';

// strong-soap waits for ever unless it is told how long; the setting is one of each call.
const TIME_LIMIT = { timeout: 60_000 };

/** The ErrorCode of a delivery that the dispatcher has not unpacked yet: ask later. */
const NOT_FINISHED = 5004;

/** Return a client for the service at this address, made from the WSDL that the service shows there. */
export function service(address) {
  const options = {
    // The address in a WSDL may be one that only the server's own network knows.
    endpoint: address,
    wsdl_options: TIME_LIMIT,
    // Without line breaks and indentation, which strong-soap otherwise adds to every request.
    prettyPrint: false,
  };
  return new Promise((resolve, reject) => {
    strongSoap.soap.createClient(`${address}?wsdl`, options, (error, client) => (error ? reject(error) : resolve(client)));
  });
}

/** Return the typed detail of a fault (ErrorCode, Description, CallId), or undefined where the service sent none. */
export function applicationFault(error) {
  return error.root?.Envelope?.Body?.Fault?.detail?.applicationFault;
}

/** Ask the register about recipients, at most 1000 in one call. Return their statuses in the order asked. */
export async function isReachable(register, sender, recipients) {
  return answers(await register.isReachable({ senderOrgNr: sender, recipientId: recipients }, TIME_LIMIT));
}

/** Return whether a message from the sender that was asked for would reach the recipient's mailbox. */
export function reachable(status) {
  // A pending account waits for signatures and has no mailbox yet.
  const account = status.AccountStatus;
  return account.Type === 'Secure' && !account.Pending && status.SenderAccepted;
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
      // A secure delivery has one recipient.
      const [status] = answers(await dispatcher.checkDistributionStatus(question, TIME_LIMIT));
      const said = status.DeliveryStatus ?? status.Type;
      if (said !== 'Pending' || Date.now() >= stopAt) return said;
    } catch (error) {
      if (Number(applicationFault(error)?.ErrorCode) !== NOT_FINISHED || Date.now() >= stopAt) throw error;
    }
    await pause(1000);
  }
}

function answers({ result, envelope }) {
  // The page of some proxy is no error to strong-soap: it gives no result then.
  if (!result) throw new Error(`this is not a SOAP answer: ${envelope.slice(0, 200)}`);
  return result.return;
}

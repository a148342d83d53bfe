// Asks the register, sends a signed message, follows a delivery, verifies one.
//
//     node mm_client.js ask REGISTER SENDER RECIPIENT...
//     node mm_client.js send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
//     node mm_client.js follow MESSAGE SENDER ID
//     node mm_client.js verify FILE CERTIFICATE...
//
// Exit status: 0 all is well, 1 the service answered with a fault or a signature is invalid, 2 anything else.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

import {
  applicationFault, distributeSecure, followDelivery, isReachable, reachable, service, signedDelivery,
} from './mina_meddelanden.js';
import { authorities, InvalidSignature, verifySealed } from './verification.js';

const FOLLOW_SECONDS = 60;

const commands = {
  async ask(register, sender, ...recipients) {
    for (const status of await isReachable(await service(register), sender, recipients)) {
      console.log(status.AccountStatus.RecipientId, reachable(status) ? 'yes' : 'no');
    }
  },

  async send(message, certificate, key, recipient, subject, text, pdf) {
    const delivery = signedDelivery(
      await readFile(certificate), await readFile(key), recipient, subject,
      await readFile(text), basename(pdf), await readFile(pdf),
    );
    console.log(await distributeSecure(await service(message), delivery));
  },

  async follow(message, sender, id) {
    console.log(await followDelivery(await service(message), sender, id, FOLLOW_SECONDS));
  },

  async verify(file, ...certificates) {
    const trusted = authorities(...await Promise.all(certificates.map((each) => readFile(each))));
    const { seal, signature } = verifySealed(await readFile(file), trusted);
    console.log(`seal ${seal}\nsignature ${signature}`);
  },
};

const [command, ...options] = process.argv.slice(2);
try {
  if (!Object.hasOwn(commands, command ?? '')) throw new Error('the first argument is ask, send, follow or verify');
  await commands[command](...options);
} catch (error) {
  const fault = applicationFault(error);
  const invalid = error instanceof InvalidSignature;
  const said = fault
    ? `fault ${fault.ErrorCode} ${fault.Description} (CallId ${fault.CallId})`
    : invalid ? `invalid ${error.message}` : error.message ?? error.body; // What is not XML comes as an object without a message.
  console.error(said.replace(/\s+/g, ' '));
  process.exitCode = fault || invalid ? 1 : 2;
}

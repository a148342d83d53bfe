// Asks the register, sends a signed message, follows a delivery.
//
//     node mm_client.js ask REGISTER SENDER RECIPIENT...
//     node mm_client.js send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
//     node mm_client.js follow MESSAGE SENDER ID
//
// Exit status: 0 it was answered, 1 the service answered with a fault, 2 anything else.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

import {
  applicationFault, distributeSecure, followDelivery, isReachable, reachable, service, signedDelivery,
} from './mina_meddelanden.js';

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
};

const [command, ...options] = process.argv.slice(2);
try {
  if (!Object.hasOwn(commands, command ?? '')) throw new Error('the first argument is ask, send or follow');
  await commands[command](...options);
} catch (error) {
  const fault = applicationFault(error);
  const said = fault
    ? `fault ${fault.ErrorCode} ${fault.Description} (CallId ${fault.CallId})`
    : error.message ?? error.body; // What is not XML comes as an object without a message.
  console.error(said.replace(/\s+/g, ' '));
  process.exitCode = fault ? 1 : 2;
}

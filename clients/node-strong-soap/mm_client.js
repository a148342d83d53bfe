// Asks the register and follows a delivery. A program that also sends is in ../node-soap.
//
//     node mm_client.js ask REGISTER SENDER RECIPIENT...
//     node mm_client.js follow MESSAGE SENDER ID
//
// Exit status: 0 it was answered, 1 the service answered with a fault, 2 anything else.

import { applicationFault, followDelivery, isReachable, reachable, service } from './mina_meddelanden.js';

const FOLLOW_SECONDS = 60;

const commands = {
  async ask(register, sender, ...recipients) {
    for (const status of await isReachable(await service(register), sender, recipients)) {
      console.log(status.AccountStatus.RecipientId, reachable(status) ? 'yes' : 'no');
    }
  },

  async follow(message, sender, id) {
    console.log(await followDelivery(await service(message), sender, id, FOLLOW_SECONDS));
  },
};

const [command, ...options] = process.argv.slice(2);
try {
  if (!Object.hasOwn(commands, command ?? '')) throw new Error('the first argument is ask or follow');
  await commands[command](...options);
} catch (error) {
  const fault = applicationFault(error);
  const said = fault ? `fault ${fault.ErrorCode} ${fault.Description} (CallId ${fault.CallId})` : error.message;
  console.error(said.replace(/\s+/g, ' '));
  process.exitCode = fault ? 1 : 2;
}

import { queueCommand } from './queue-command.ts';

export const eventsCommand = queueCommand('events', { mend: 'redrive', type: 'type' }).description('events on their way to those who listen');

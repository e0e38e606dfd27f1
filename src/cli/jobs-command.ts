import { queueCommand } from './queue-command.ts';
import { sweepsCommand } from './sweeps-command.ts';

export const jobsCommand = queueCommand('jobs', { mend: 'retry', type: 'name' }).description("modules' own jobs: webhooks, mails, what is finished or undone later").addCommand(sweepsCommand);

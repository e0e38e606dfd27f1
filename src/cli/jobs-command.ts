import { queueCommand } from './queue-command.ts';

export const jobsCommand = queueCommand('jobs', { mend: 'retry', type: 'name' }).description("modules' own jobs: webhooks, mails, what is finished or undone later");

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Settings } from '../shared/settings.ts';

/** Sends through the SMTP server, or without one writes each mail to `<directory>/<time>-<recipient>.eml`. */
export function createMailer({ smtpUrl, from, directory }: { smtpUrl: string | undefined; from: string; directory: string }): Settings['sendMail'] {
  if (smtpUrl) {
    const server = createTransport({ url: smtpUrl, connectionTimeout: 5_000, socketTimeout: 10_000 });
    return async (mail) => void (await server.sendMail({ from, ...mail }));
  }
  const file = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
  return async (mail) => {
    const { message } = await file.sendMail({ from, ...mail });
    await mkdir(directory, { recursive: true });
    const name = `${new Date().toISOString().replaceAll(':', '-')}-${mail.to.replaceAll(/[^\w.@+-]/g, '_')}.eml`;
    await writeFile(join(directory, name), message as Buffer, { mode: 0o600 });
  };
}

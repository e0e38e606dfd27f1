import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Settings } from '../shared/settings.ts';

/** Sends through the SMTP server, or without one writes each mail, readable, to `<directory>/<time>-<recipient>.txt`. */
export function createMailer({ smtpUrl, from, directory }: { smtpUrl: string | undefined; from: string; directory: string }): Settings['sendMail'] {
  if (smtpUrl) {
    const server = createTransport({ url: smtpUrl, connectionTimeout: 5_000, socketTimeout: 10_000 });
    return async (mail) => void (await server.sendMail({ from, ...mail }));
  }
  return async ({ to, subject, text }) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const name = `${new Date().toISOString().replaceAll(':', '-')}-${to.replaceAll(/[^\w.@+-]/g, '_').slice(0, 100)}.txt`;
    await writeFile(join(directory, name), `From: ${from}\nTo: ${to}\nSubject: ${subject}\n\n${text}\n`, { mode: 0o600 });
  };
}

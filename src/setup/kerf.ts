import type { Logger } from 'pino';
import { compose, type Kerf } from '../composition.ts';
import type { Config } from '../config.ts';
import { createFollower, type Follower } from '../move/follow.ts';
import { readServiceKeys } from '../placement/service-keys.ts';
import { createLogger } from '../shared/telemetry.ts';
import type { Settings } from '../shared/settings.ts';
import { type Installation, openInstallation } from './database.ts';
import { createMailer } from './mailer.ts';
import { dataDirectory } from './paths.ts';
import { moduleUrl } from './provision.ts';

export interface OpenKerf {
  kerf: Kerf;
  installation: Installation;
  /** knows where modules are that have moved; absent where the shop's own database is not known */
  follower: Follower | undefined;
  settings: Settings;
  log: Logger;
  /** what was done to get here took a migration or a first initialisation */
  changed: boolean;
  close(): Promise<void>;
}

/** What a command that changes nothing meets in a shop that was set up before modules could move: no role, no schema, no table, no column. */
const NOT_SET_UP: ReadonlySet<string> = new Set(['28P01', '28000', '3F000', '42P01', '42703', '42501']);

/**
 * Databases ready and modules wired, nothing listening and nothing running in the background: what every command needs.
 * `address`: where this process answers others, if it does.
 * `existing`: for those that change nothing; what is not set up yet stays so.
 */
export async function openKerf(config: Config, options: { attach: boolean; existing?: boolean; address?: string; onProgress: (sentence: string) => void; publicUrl: string }): Promise<OpenKerf> {
  const service = config.serviceKeys ? readServiceKeys(config.serviceKeys) : undefined;
  if (service?.isOpenToOthers) options.onProgress('KERF_SERVICE_KEYS names a file that others on this machine may read: take that away with chmod 600.');
  const installation = await openInstallation(config, options);
  try {
    const settings: Settings = {
      publicUrl: options.publicUrl,
      secret: installation.secret,
      timeZone: config.timeZone,
      paymentWindowMinutes: config.paymentWindowMinutes,
      sandboxPayments: config.sandboxPayments,
      sendMail: createMailer({ smtpUrl: config.smtpUrl, from: config.mailFrom, directory: `${dataDirectory(config.dataDir)}/mail` }),
    };
    const log = createLogger(config.logLevel);
    const { placement } = config;
    const follower = installation.placementUrl === undefined ? undefined : createFollower({
      url: installation.placementUrl,
      ...(options.address && { self: { address: options.address, modules: placement.hosts, edge: placement.edge } }),
      withRole: (url, module) => moduleUrl(url, module, installation.secret),
      log,
    });
    const kerf = compose({ settings, log, databaseUrl: installation.url, poolSize: config.poolSize, placement, ...(follower && { look: follower.look, hosts: follower.hosts }), ...(service && { serviceKeys: service.keys }) });
    const changed = !options.existing && (await installation.migrate());
    const moved = await follower?.whereabouts().catch((error: { code?: string }) => {
      if (options.existing && NOT_SET_UP.has(error.code ?? '')) return undefined;
      throw error;
    });
    // One that is held right now is none the less where it is: its database says who may use it.
    for (const [module, whereabouts] of moved ?? []) await kerf.place(module, { ...whereabouts, held: false });
    if (moved) follower?.follow(kerf.place, kerf.shadowed, kerf.met);
    if (!options.existing) await kerf.prepare();
    return {
      kerf,
      installation,
      follower,
      settings,
      log,
      changed,
      async close() {
        await follower?.stop();
        await kerf.stop();
        await installation.close();
      },
    };
  } catch (error) {
    await installation.close();
    throw error;
  }
}

import { z } from 'zod';
import { MODULES } from './calls.ts';
import type { Placement } from './placement/placement.ts';
import { readTls, type Tls } from './placement/tls.ts';
import { ConfigError } from './setup/config-error.ts';
import type { Tracing } from './setup/tracing.ts';
import type { Settings } from './shared/settings.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1');
const postgresUrl = z
  .string()
  .refine(isDatabaseAddress, 'must look like postgres://user:password@host:5432/database, with odd characters of the password percent-encoded and neither user nor password behind a question mark');
const peer = z.string().refine(isPeerAddress, 'must look like http://host:3001, https://host:3001 or unix:/path/to/socket');
const file = z.string().min(1);
const timeZone = z.string().refine((zone) => isTimeZone(zone), 'must be an IANA time zone like Asia/Seoul');

/** Every variable that Kerf reads. Nothing is required: with none of them the embedded Postgres is used. */
export const Environment = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development').meta({ description: 'production turns the sandbox payments off and asks for KERF_SECRET' }),
  PORT: port.optional().meta({ description: 'port of the public API; default 3000, or the next free one' }),
  HOST: z.string().min(1).default('0.0.0.0').meta({ description: 'address the public API listens on' }),
  KERF_INTERNAL_PORT: port.optional().meta({ description: 'port for other processes and for metrics, on 127.0.0.1 unless KERF_INTERNAL_HOST says otherwise; default 3001, or the next free one' }),
  KERF_INTERNAL_HOST: z.string().min(1).default('127.0.0.1').meta({ description: 'address the internal port listens on' }),
  KERF_INTERNAL_URL: peer.optional().meta({ description: 'internal address under which other processes reach this one, or all of a kind behind a balancer; default: where it listens' }),
  KERF_PUBLIC_URL: z.string().refine(isWebAddress, 'must look like https://shop.example, with nothing after the path').optional().meta({ description: 'address under which clients reach the API; default http://localhost:<port>' }),
  DATABASE_URL: postgresUrl.optional().meta({ description: 'administrator connection to a Postgres 15 or newer; default: the embedded one' }),
  ...Object.fromEntries(
    MODULES.map((name) => [
      `${name.toUpperCase()}_DATABASE_URL`,
      postgresUrl.optional().meta({ description: `the same for the database of ${name} alone` }),
    ]),
  ),
  KERF_APART_DATABASE_URL: postgresUrl.optional().meta({ description: 'administrator connection to the database that "kerf extract" moves a module to, and "kerf fold" brings it back from' }),
  KERF_MODULES: z
    .string()
    .transform((text) => [...new Set(text.split(',').map((name) => name.trim()).filter(Boolean))])
    .refine((names) => names.length > 0 && names.every((name) => MODULES.includes(name)), `must name modules separated by commas, of ${MODULES.join(', ')}`)
    .optional()
    .meta({ description: 'modules that run in this process; default: all that have no KERF_<MODULE>_URL' }),
  ...Object.fromEntries(
    MODULES.map((name) => [`KERF_${name.toUpperCase()}_URL`, peer.optional().meta({ description: `where ${name} answers when it runs in another process: its internal address; default: a process that shows itself with it in the shop's own database` })]),
  ),
  KERF_EDGE: flag.optional().meta({ description: 'serve the public API here; default: yes, unless KERF_MODULES is set' }),
  KERF_INTERNAL_SOCKET: z.string().min(1).max(100).optional().meta({ description: 'unix socket to use instead of the internal port' }),
  KERF_SERVICE_KEYS: file.optional().meta({ description: 'JSON Web Key Set with which processes know each other, see "kerf keys service"; default: keys that follow from KERF_SECRET' }),
  KERF_TLS_CERT: file.optional().meta({ description: 'certificate of this process for mutual TLS between processes; needs the next two' }),
  KERF_TLS_KEY: file.optional().meta({ description: 'its private key' }),
  KERF_TLS_CA: file.optional().meta({ description: 'certificate of the authority that signed those of all processes' }),
  KERF_DATA_DIR: z.string().min(1).optional().meta({ description: 'where the embedded Postgres, the secret and development mail are kept' }),
  KERF_SECRET: z.string().min(32, 'must have at least 32 characters').refine((secret) => new Set(secret).size >= 10, 'must be random: it has too few different characters').optional().meta({ description: 'root of all derived keys; default: generated once into the data directory' }),
  KERF_POOL_SIZE: z.coerce.number().int().min(2).max(100).default(10).meta({ description: 'most database connections per module' }),
  KERF_SEED: flag.optional().meta({ description: 'fill an empty shop with the demo goods and accounts; default: not in production' }),
  KERF_SANDBOX_PAYMENTS: flag.optional().meta({ description: 'offer the sandbox payment provider; default: not in production' }),
  KERF_PAYMENT_WINDOW_MINUTES: z.coerce.number().int().min(1).max(1_440).default(30).meta({ description: 'how long an order waits for its payment' }),
  KERF_TIME_ZONE: timeZone.default('Asia/Seoul').meta({ description: "zone of the shop's dates" }),
  KERF_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('warn').meta({ description: 'what the log shows' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().refine(isWebAddress, 'must look like http://localhost:4318, without a password').optional().meta({ description: 'where traces go, by OTLP over HTTP; default: none are recorded' }),
  KERF_TRACE_SHARE: z.coerce.number().min(0).max(1).default(1).meta({ description: 'share of traces to record, of those that begin here' }),
  KERF_SMTP_URL: z.string().regex(/^smtps?:\/\/.+/, 'must look like smtp://user:password@host:587').optional().meta({ description: 'mail server; default: mails are written to files in the data directory' }),
  KERF_MAIL_FROM: z.string().min(3).default('Kerf <shop@localhost>').meta({ description: 'sender of mails' }),
  KERF_TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0).meta({ description: 'how many reverse proxies in front are to be believed about the client address' }),
  KERF_CORS_ORIGINS: z
    .string()
    .transform((text) => text.split(',').map((origin) => origin.trim()).filter(Boolean))
    .refine((origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin), 'must be origins like https://shop.example, separated by commas')
    .default([])
    .meta({ description: 'origins whose pages may call the API from a browser; default: none' }),
  KERF_RATE_LIMIT: z.coerce.number().int().min(0).default(600).meta({ description: 'requests a minute per client; 0 switches the limits off' }),
  KERF_SHED_FROM: z.coerce.number().int().min(0).default(30).meta({ description: 'requests under way in this process from which on reading is refused for a moment (other changes from 1.5 times, buying from 2 times as many); 0: nothing is' }),
});

export interface Config extends Omit<Settings, 'publicUrl' | 'secret' | 'sendMail'> {
  production: boolean;
  port: number | undefined;
  host: string;
  internalPort: number | undefined;
  internalHost: string;
  /** where other processes reach the internal address, if not where it listens */
  internalUrl: string | undefined;
  publicUrl: string | undefined;
  /** unix socket in place of the internal port */
  internalSocket: string | undefined;
  placement: Placement;
  /** file with the keys by which processes know each other */
  serviceKeys: string | undefined;
  databaseUrl: string | undefined;
  /** of a module that is moved */
  apartDatabaseUrl: string | undefined;
  moduleDatabaseUrls: Partial<Record<string, string>>;
  dataDir: string | undefined;
  secret: string | undefined;
  poolSize: number;
  seed: boolean;
  logLevel: string;
  /** absent: no spans are recorded */
  tracing: Tracing | undefined;
  smtpUrl: string | undefined;
  mailFrom: string;
  trustProxy: number;
  rateLimit: number;
  shedFrom: number;
  corsOrigins: readonly string[];
}

/** What a process that this one starts is told, beside its own settings. */
export const ownEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env });

/** Reads the environment; a bad variable is one sentence that names it and does not repeat a secret. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const result = Environment.safeParse(present);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new ConfigError(`${String(issue?.path[0])} ${sentence(issue?.message ?? 'is not usable')}.`);
  }
  const env = result.data as z.output<typeof Environment> & Record<string, unknown>;
  const production = env.NODE_ENV === 'production';
  if (production && !env.KERF_SECRET) {
    throw new ConfigError('KERF_SECRET must be set in production, to at least 32 random characters.');
  }
  if (env.KERF_INTERNAL_SOCKET && env.KERF_INTERNAL_PORT !== undefined) throw new ConfigError('KERF_INTERNAL_SOCKET is used instead of KERF_INTERNAL_PORT: take one of them away.');
  const placement = placementOf(env);
  if (placement.tls && env.KERF_INTERNAL_URL?.startsWith('http:')) throw new ConfigError('KERF_INTERNAL_URL must begin with https:// or unix: where KERF_TLS_CERT is set.');
  if ((placement.hosts.length < MODULES.length || !placement.edge) && !env.KERF_SECRET && !env.KERF_SERVICE_KEYS) {
    throw new ConfigError('KERF_SECRET must be set where modules run in several processes, to the same at least 32 random characters in each: they know each other by it, or by KERF_SERVICE_KEYS.');
  }
  return {
    production,
    port: env.PORT,
    host: env.HOST,
    internalPort: env.KERF_INTERNAL_PORT,
    internalHost: env.KERF_INTERNAL_HOST,
    internalUrl: env.KERF_INTERNAL_URL,
    publicUrl: env.KERF_PUBLIC_URL?.replace(/\/+$/, ''),
    internalSocket: env.KERF_INTERNAL_SOCKET,
    placement,
    serviceKeys: env.KERF_SERVICE_KEYS,
    databaseUrl: env.DATABASE_URL,
    apartDatabaseUrl: env.KERF_APART_DATABASE_URL,
    moduleDatabaseUrls: perModule(env, (name) => `${name}_DATABASE_URL`),
    dataDir: env.KERF_DATA_DIR,
    secret: env.KERF_SECRET,
    poolSize: env.KERF_POOL_SIZE,
    seed: env.KERF_SEED ?? !production,
    sandboxPayments: env.KERF_SANDBOX_PAYMENTS ?? !production,
    paymentWindowMinutes: env.KERF_PAYMENT_WINDOW_MINUTES,
    timeZone: env.KERF_TIME_ZONE,
    logLevel: env.KERF_LOG_LEVEL,
    tracing: env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined ? undefined : { endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, ''), share: env.KERF_TRACE_SHARE },
    smtpUrl: env.KERF_SMTP_URL,
    mailFrom: env.KERF_MAIL_FROM,
    trustProxy: env.KERF_TRUST_PROXY,
    rateLimit: env.KERF_RATE_LIMIT,
    shedFrom: env.KERF_SHED_FROM,
    corsOrigins: env.KERF_CORS_ORIGINS,
  };
}

function placementOf(env: z.output<typeof Environment> & Record<string, unknown>): Placement {
  const addresses = perModule(env, (name) => `KERF_${name}_URL`);
  const hosts = env.KERF_MODULES ?? MODULES.filter((name) => !addresses[name]);
  const both = env.KERF_MODULES?.find((name) => addresses[name]);
  if (both) throw new ConfigError(`KERF_MODULES says that ${both} runs here, and KERF_${both.toUpperCase()}_URL that it runs elsewhere: take one of them away.`);
  const edge = env.KERF_EDGE ?? !env.KERF_MODULES;
  if (hosts.length === 0 && !edge) throw new ConfigError('KERF_EDGE is false and every module is elsewhere, so that nothing would run here: take one of these variables away.');
  const tls = tlsOf(env);
  const open = tls && Object.keys(addresses).find((name) => addresses[name]!.startsWith('http:'));
  if (open) throw new ConfigError(`KERF_${open.toUpperCase()}_URL must begin with https:// or unix: where KERF_TLS_CERT is set.`);
  return { hosts, addresses, edge, ...(tls && { tls }) };
}

function tlsOf({ KERF_TLS_CERT: cert, KERF_TLS_KEY: key, KERF_TLS_CA: ca }: z.output<typeof Environment>): Tls | undefined {
  if (cert && key && ca) return readTls({ cert, key, ca });
  if (cert || key || ca) throw new ConfigError('KERF_TLS_CERT, KERF_TLS_KEY and KERF_TLS_CA belong together: set all three or none.');
  return undefined;
}

function perModule(env: Record<string, unknown>, variable: (name: string) => string): Record<string, string> {
  return Object.fromEntries(
    MODULES.flatMap((name) => {
      const value = env[variable(name.toUpperCase())];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

const sentence = (message: string) => (message.startsWith('must') ? message : `is not usable: ${message}`).replace(/\.$/, '');

function isWebAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && `${username}${password}${search}${hash}` === '';
}

function isTimeZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}

/** There is one place for user and password: one module's role is put there, and it is left out of what others may read. */
export function isDatabaseAddress(text: string): boolean {
  return /^postgres(ql)?:\/\/.+/.test(text) && URL.canParse(text) && !['user', 'password'].some((name) => new URL(text).searchParams.has(name));
}

export function isPeerAddress(text: string): boolean {
  if (/^unix:\/.+/.test(text)) return true;
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && pathname === '/' && `${search}${hash}${username}${password}` === '';
}

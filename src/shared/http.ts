import { z } from 'zod';
import { invalid } from './errors.ts';

/**
 * Who may call a route. `anyone`: guests too, and a bad token is still refused. `customer`: any signed-in account.
 * `staff`: staff and administrators. `admin`: administrators only. Whose *objects* they may see is the module's rule.
 */
export type Access = 'anyone' | 'customer' | 'staff' | 'admin';

export const Role = z.enum(['customer', 'staff', 'admin']).meta({ id: 'Role' });
export type Role = z.infer<typeof Role>;

/** Who is calling, as the edge established it. */
export type Principal = { kind: 'guest' } | { kind: 'user'; userId: string; role: Role; sessionId: string };

/** Where a module keeps the answer to an Idempotency-Key itself, in the transaction of the effect. */
export const IdempotencyClaim = z.object({
  /** principal the key belongs to: `user:<id>` or `guest` */
  scope: z.string(),
  key: z.string(),
  /** digest of method, path and body */
  fingerprint: z.string(),
});
export type IdempotencyClaim = z.infer<typeof IdempotencyClaim>;

export interface Call<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  /** request headers, lower case */
  headers: Record<string, string | undefined>;
  principal: Principal;
  /** the version named by If-Match; present on routes with `ifMatch` */
  version: number;
  /** stable over repeats with the same Idempotency-Key, else new: hand it on as the idempotency key of the effect */
  operationId: string;
  /** present on routes with `idempotency: 'module'` */
  idempotency: IdempotencyClaim;
  /** the body as it came; for signatures */
  rawBody: Buffer;
  ip: string;
}

export interface Answer {
  /** default: the first status in `responses` */
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Response {
  description: string;
  /** absent: no body */
  schema?: z.ZodType;
}

export interface RouteDefinition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI form, below /v1: `/carts/{cartId}/items` */
  path: string;
  operationId: string;
  tag: string;
  summary: string;
  description?: string;
  access: Access;
  params?: P;
  query?: Q;
  /** JSON body; strict objects only, so that an unknown property is refused */
  body?: B;
  responses: Record<number, Response>;
  /** the refusals a client should be ready for beside the general ones, by status */
  problems?: Record<number, readonly string[]>;
  /** headers beyond the usual that the route reads */
  headers?: Record<string, string>;
  /**
   * `edge`: Idempotency-Key accepted, answer kept by the edge. `edge-required`: and mandatory. `module`: mandatory, and
   * the module keeps it with its effect.
   */
  idempotency?: 'edge' | 'edge-required' | 'module';
  /** If-Match is required and parsed into `call.version` */
  ifMatch?: boolean;
  /** the strict limit against guessing, per address (and per account where one is named); or which bodies meet it */
  guarded?: boolean | ((body: z.output<B>) => boolean);
  /** what a purchase hangs on: under overload refused after everything else; without it reading is refused first, then changing */
  shedLast?: boolean;
  /** the same for everybody who is not signed in: may be kept and revalidated by its ETag; all else is `no-store` */
  cacheable?: boolean;
  /** any content type and no JSON parsing: the handler reads `rawBody` */
  raw?: boolean;
  handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Promise<Answer>;
}

export type Route = RouteDefinition<z.ZodType, z.ZodType, z.ZodType>;

/** One operation of the public API: mounted, checked, documented and tested from this one definition. */
export const route = <P extends z.ZodType = z.ZodObject, Q extends z.ZodType = z.ZodObject, B extends z.ZodType = z.ZodUndefined>(
  definition: RouteDefinition<P, Q, B>,
): Route => definition as unknown as Route;

/** The version in an If-Match header, which is an ETag as it was answered; `invalid_input` for anything else. */
export function versionIn(ifMatch: string): number {
  const version = /^"(\d{1,9})"$/.exec(ifMatch)?.[1];
  if (!version) throw invalid('invalid_input', 'header.if-match: must be an ETag as it was answered.');
  return Number(version);
}

/** The strong ETag of a version: `"7"`. */
export const etag = (version: number) => ({ etag: `"${version}"` });

/** Query of every list: opaque cursor and page size. */
export const PageQuery = z.strictObject({
  cursor: z.string().max(500).optional().meta({ description: 'Where the previous page ended (`nextCursor`)' }),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

/** A page of a list; `nextCursor` is null on the last one. */
export const page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), nextCursor: z.string().nullable() });

/** An instant in a cursor: UTC as `toISOString` writes it, of the years 1970 to 9999. All others are none that we wrote. */
export const CursorInstant = z.iso.datetime({ precision: 3 }).refine((instant) => instant >= '1970');

/** A cursor is the sort key of the last row, opaque to clients. */
export const encodeCursor = (key: readonly (string | number)[]): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** The sort key behind a cursor, or undefined when it is not one of ours (answer `invalid_cursor`). */
export function decodeCursor(cursor: string): (string | number)[] | undefined {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(key) && key.every((part) => ['string', 'number'].includes(typeof part)) ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The sort key behind a cursor, checked; `invalid_cursor` when it is not one that this list has given. */
export function readCursor<Key>(schema: z.ZodType<Key>, cursor: string): Key {
  const key = schema.safeParse(decodeCursor(cursor));
  if (!key.success) throw invalid('invalid_cursor', 'The cursor is not one of ours.');
  return key.data;
}

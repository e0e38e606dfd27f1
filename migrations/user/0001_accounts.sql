-- The e-mail is kept normalized (trimmed, NFKC, lower case): unique however it is typed.
create table users (
  id uuid primary key,
  email text not null unique check (email = lower(email) and length(email) between 3 and 254),
  email_verified_at timestamptz,
  name text not null check (length(name) between 1 and 100),
  role text not null check (role in ('customer', 'staff', 'admin')),
  password_hash text not null check (password_hash like '$argon2id$%'),
  -- carried by access tokens: a step forward ends them all
  epoch integer not null default 0 check (epoch >= 0),
  created_at timestamptz not null
);
create index users_admins on users (id) where role = 'admin';

-- One row per login: the family of refresh tokens that grew from it.
create table sessions (
  id uuid primary key,
  user_id uuid not null references users,
  device text not null,
  created_at timestamptz not null,
  -- however often it is refreshed
  expires_at timestamptz not null,
  ended_at timestamptz
);
create index sessions_of_user on sessions (user_id) where ended_at is null;
create index sessions_by_expiry on sessions (expires_at);
create index sessions_ended on sessions (ended_at) where ended_at is not null;

create table refresh_tokens (
  id uuid primary key,
  session_id uuid not null references sessions on delete cascade,
  -- the token it was exchanged for; null for the first of the family
  parent_id uuid,
  token_hash text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by text,
  check ((used_at is null) = (used_by is null))
);
create index refresh_tokens_of_session on refresh_tokens (session_id);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

-- Tokens sent by mail: deleted when used.
create table mail_tokens (
  token_hash text primary key check (token_hash ~ '^[0-9a-f]{64}$'),
  purpose text not null check (purpose in ('verify_email', 'reset_password')),
  user_id uuid not null references users on delete cascade,
  expires_at timestamptz not null
);
create index mail_tokens_of_user on mail_tokens (user_id, purpose);
create index mail_tokens_by_expiry on mail_tokens (expires_at);

-- By digest of the e-mail, whether there is such an account or not.
create table login_failures (
  email_digest text primary key check (email_digest ~ '^[0-9a-f]{64}$'),
  failures integer not null check (failures > 0),
  since timestamptz not null
);
create index login_failures_by_age on login_failures (since);

create table addresses (
  user_id uuid not null references users on delete cascade,
  id uuid not null,
  address jsonb not null check (jsonb_typeof(address) = 'object'),
  is_default boolean not null,
  version integer not null default 1 check (version > 0),
  created_at timestamptz not null,
  primary key (user_id, id)
);
create unique index addresses_one_default on addresses (user_id) where is_default;

-- ES256 keys of access tokens. The private half is sealed with a key derived from the secret of the installation.
create table signing_keys (
  id uuid primary key,
  state text not null check (state in ('next', 'current', 'retired')),
  public_jwk jsonb not null,
  sealed_private_key text not null,
  created_at timestamptz not null,
  -- retired keys: until the last token signed with them has ended
  published_until timestamptz,
  check ((state = 'retired') = (published_until is not null))
);
create unique index signing_keys_active on signing_keys (state) where state in ('current', 'next');

create table categories (
  id uuid primary key,
  slug text collate "C" not null constraint categories_slug unique,
  name_ko text not null check (length(name_ko) between 1 and 300),
  name_en text not null check (length(name_en) <= 300),
  parent_id uuid constraint categories_parent references categories,
  position integer not null check (position >= 0),
  version integer not null default 1 check (version > 0),
  check (parent_id <> id)
);
create index categories_below on categories (parent_id);

create table products (
  id uuid primary key,
  slug text collate "C" not null constraint products_slug unique,
  name_ko text not null check (length(name_ko) between 1 and 300),
  name_en text not null check (length(name_en) <= 300),
  description_ko text not null,
  description_en text not null,
  category_id uuid constraint products_category references categories,
  option_names text[] not null check (cardinality(option_names) <= 3),
  state text not null check (state in ('draft', 'published', 'archived')),
  -- currency → lowest price of an active variant: what lists are sorted by
  lowest_prices jsonb not null check (jsonb_typeof(lowest_prices) = 'object'),
  version integer not null check (version > 0),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint products_publishable check (state <> 'published' or lowest_prices <> '{}')
);
create index products_newest on products (state, created_at desc, id desc);
create index products_in_category on products (category_id);

create table variants (
  id uuid primary key,
  product_id uuid not null references products,
  sku text collate "C" not null constraint variants_sku unique,
  options jsonb not null check (jsonb_typeof(options) = 'object'),
  -- currency → minor units
  prices jsonb not null check (
    jsonb_typeof(prices) = 'object'
    and not jsonb_path_exists(prices, '$.* ? (@.type() != "number" || @ < 0 || @ > 1000000000000 || @.floor() != @)')
  ),
  active boolean not null,
  -- order within the product
  position integer not null check (position >= 0),
  -- deferrable, so that two variants may swap their options in one transaction
  constraint variants_options unique (product_id, options) deferrable initially immediate
);

-- Derived from products, variants and category names; see search-text.ts. Each text is lines between newlines.
create table product_listings (
  product_id uuid primary key references products on delete cascade,
  name_key text collate "C" not null,
  name_text text collate "C" not null,
  facts_text text collate "C" not null,
  description_text text collate "C" not null,
  -- pairs of neighbouring characters of the three texts
  grams text[] collate "C" not null
);
create index product_listings_by_name on product_listings (name_key, product_id);
create index product_listings_search on product_listings using gin (grams);

-- Copy of what inventory says. A row may be there before its variant is: no foreign key.
create table availability (
  variant_id uuid primary key,
  available bigint not null,
  backorder boolean not null,
  version bigint not null
);

create table inbox (
  event_id uuid not null,
  handler text not null,
  received_at timestamptz not null default now(),
  primary key (event_id, handler)
);

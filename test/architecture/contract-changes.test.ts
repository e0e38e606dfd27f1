import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { modules } from '../../src/composition.ts';
import { type Change, contractChanges, misfits } from '../../src/boundaries/contracts/contract-changes.ts';
import { type Contract, defineContract, describeContract, event, type EventType, type Method, read, write } from '../../src/shared/contract.ts';

type Part = 'input' | 'output' | 'data';
type Fields = Record<string, z.ZodType>;

const Lamp = z.object({ id: z.string() });

const contract = (methods: Record<string, Method>, events: Record<string, EventType> = {}) => defineContract({ module: 'lamp', methods, events });
const changesOf = (before: Contract, after: Contract) => contractChanges(describeContract(before), describeContract(after));

/** The contract with this type as what `turn` takes, what it answers, or what `lamp.turned` tells. */
function having(part: Part, schema: z.ZodType): Contract {
  const { input, output, data }: Record<Part, z.ZodType> = { input: Lamp, output: Lamp, data: Lamp, [part]: schema };
  return contract({ turn: write({ input, output }) }, { turned: event('lamp.turned', 'id' as never, data) });
}

const REFUSED = /Callers written before may send what is no longer taken/;
const MISSING = /Callers written before do not send it/;
const IGNORED = /Callers written before send it, and what they mean by it gets lost/;
const MEANING = /Callers written before leave it out and mean/;
const LOST = /Callers written before rely on it/;
const UNKNOWN = /Callers written before do not know what may come/;
const UNWELCOME = /Callers written before refuse fields that they do not know/;
const UNCLEAR = /the check cannot tell/;
const SUBSCRIBERS = /^Subscribers written before/;

/** What changed, the fields before and after, which field it is found at, what is said, and why it breaks whom, if it does. */
type Row = [change: string, part: Part, before: Fields | z.ZodType, after: Fields | z.ZodType, field: string | undefined, said: RegExp, why?: RegExp];

const Kind = z.enum(['desk', 'floor']);
const WiderKind = z.enum(['desk', 'floor', 'wall']);
const spot = (more: Fields = {}) => z.object({ kind: z.literal('spot'), watts: z.int(), ...more });
const bar = (more: Fields = {}) => z.object({ kind: z.literal('bar'), length: z.int(), ...more });
const wash = z.object({ kind: z.literal('wash') });
const Word = z.string().meta({ id: 'Word', description: 'a word' });

const INPUTS: Row[] = [
  ['a new optional field', 'input', {}, { note: z.string().optional() }, 'note', /is new and optional/],
  ['a new field with a default', 'input', {}, { note: z.string().default('') }, 'note', /is new and optional/],
  ['a new required field', 'input', {}, { note: z.string() }, 'note', /is new and required/, MISSING],
  ['a field that becomes required', 'input', { note: z.string().optional() }, { note: z.string() }, 'note', /no longer optional/, MISSING],
  ['a field that becomes optional', 'input', { note: z.string() }, { note: z.string().optional() }, 'note', /is optional now/],
  ['a required field that gets a default', 'input', { watts: z.int() }, { watts: z.int().default(40) }, 'watts', /is optional now/],
  ['a removed field', 'input', { note: z.string() }, {}, 'note', /is gone/, IGNORED],
  ['a removed optional field', 'input', { note: z.string().optional() }, {}, 'note', /is gone/, IGNORED],
  ['a removed field inside a list', 'input', { lamps: z.array(z.object({ note: z.string() })) }, { lamps: z.array(z.object({})) }, 'lamps[].note', /is gone/, IGNORED],
  ['a changed default', 'input', { watts: z.int().default(40) }, { watts: z.int().default(60) }, 'watts', /left out, it means 60, before 40/, MEANING],
  ['a removed default', 'input', { watts: z.int().default(40) }, { watts: z.int().optional() }, 'watts', /means nothing, before 40/, MEANING],
  ['a default for what was optional without one', 'input', { watts: z.int().optional() }, { watts: z.int().default(40) }, 'watts', /means 40, before nothing/, MEANING],
  ['a changed default deep inside', 'input', { a: z.object({ b: z.string().default('x') }) }, { a: z.object({ b: z.string().default('y') }) }, 'a.b', /means "y", before "x"/, MEANING],
  ['a narrower enum', 'input', { kind: WiderKind }, { kind: Kind }, 'kind', /no longer takes "wall"/, REFUSED],
  ['a wider enum', 'input', { kind: Kind }, { kind: WiderKind }, 'kind', /also takes "wall"/],
  ['an enum in another order', 'input', { kind: Kind }, { kind: z.enum(['floor', 'desk']) }, undefined, /^$/],
  ['an enum opened to any text', 'input', { kind: Kind }, { kind: z.string() }, 'kind', /also takes text/],
  ['any text closed to an enum', 'input', { kind: z.string() }, { kind: Kind }, 'kind', /no longer takes text/, REFUSED],
  ['an enum opened to text too short for it', 'input', { kind: Kind }, { kind: z.string().max(4) }, 'kind', /no longer takes "floor"/, REFUSED],
  ['an enum opened to text that is trimmed', 'input', { kind: Kind }, { kind: z.string().trim() }, 'kind', /no longer takes "desk", "floor"/, REFUSED],
  ['a text opened to anything', 'input', { note: z.string() }, { note: z.unknown() }, 'note', /also takes anything/],
  ['an object opened to anything, which fills in no defaults', 'input', { light: spot({ hue: z.int().default(1) }) }, { light: z.unknown() }, 'light', /no longer takes an object|also takes anything/, REFUSED],
  ['a literal that becomes an enum with it', 'input', { kind: z.literal('desk') }, { kind: Kind }, 'kind', /also takes "floor"/],
  ['null taken as well', 'input', { note: z.string() }, { note: z.string().nullable() }, 'note', /also takes null/],
  ['null no longer taken', 'input', { note: z.string().nullable() }, { note: z.string() }, 'note', /no longer takes null/, REFUSED],
  ['a tighter maximum', 'input', { watts: z.int().max(100) }, { watts: z.int().max(60) }, 'watts', /at most 60, before at most 100/, REFUSED],
  ['a wider maximum', 'input', { watts: z.int().max(60) }, { watts: z.int().max(100) }, 'watts', /at most 100, before at most 60/],
  ['a minimum where there was none', 'input', { watts: z.number() }, { watts: z.number().min(1) }, 'watts', /at least 1, before no least/, REFUSED],
  ['a minimum that excludes itself now', 'input', { watts: z.number().min(1) }, { watts: z.number().gt(1) }, 'watts', /above 1, before at least 1/, REFUSED],
  ['the same least whole number said otherwise', 'input', { watts: z.int().gt(0) }, { watts: z.int().min(1) }, undefined, /^$/],
  ['whole numbers only', 'input', { watts: z.number().min(0).max(9) }, { watts: z.int().min(0).max(9) }, 'watts', /a whole number, before any/, REFUSED],
  ['any number instead of whole ones', 'input', { watts: z.int().min(0).max(9) }, { watts: z.number().min(0).max(9) }, 'watts', /any number, before a whole/],
  ['larger steps', 'input', { watts: z.int().multipleOf(5) }, { watts: z.int().multipleOf(10) }, 'watts', /multiple of 10, before a multiple of 5/, REFUSED],
  ['smaller steps that hold the old ones', 'input', { watts: z.int().multipleOf(10) }, { watts: z.int().multipleOf(5) }, 'watts', /multiple of 5, before/],
  ['a shorter text', 'input', { note: z.string().max(100) }, { note: z.string().max(50) }, 'note', /at most 50 characters, before at most 100/, REFUSED],
  ['an empty text no longer taken', 'input', { note: z.string() }, { note: z.string().min(1) }, 'note', /at least 1 character,/, REFUSED],
  ['a format', 'input', { by: z.string() }, { by: z.email() }, 'by', /in the form email, before in any form/, REFUSED],
  ['another format', 'input', { at: z.iso.date() }, { at: z.iso.datetime() }, 'at', /in the form date-time, before in the form date$/, REFUSED],
  ['no format any more', 'input', { by: z.email() }, { by: z.string() }, 'by', /in any form, before in the form email/],
  ['a pattern', 'input', { code: z.string() }, { code: z.string().regex(/^[A-Z]+$/) }, 'code', /matching \^\[A-Z\]\+\$/, REFUSED],
  ['one of two patterns less', 'input', { code: z.string().regex(/^a/).regex(/z$/) }, { code: z.string().regex(/^a/) }, 'code', /matching \^a, before matching \^a and matching z\$/],
  ['another type', 'input', { watts: z.int() }, { watts: z.string() }, 'watts', /no longer takes a whole number|also takes text/, REFUSED],
  ['a text where a list of texts is taken', 'input', { tags: z.string() }, { tags: z.union([z.string(), z.array(z.string())]) }, 'tags', /also takes a list/],
  ['a list that may have fewer entries', 'input', { tags: z.array(z.string()).max(9) }, { tags: z.array(z.string()).max(5) }, 'tags', /at most 5 entries, before at most 9/, REFUSED],
  ['a list that may not be empty', 'input', { tags: z.array(z.string()) }, { tags: z.array(z.string()).min(1) }, 'tags', /at least 1 entry,/, REFUSED],
  ['entries of a list that become stricter', 'input', { tags: z.array(z.string()) }, { tags: z.array(z.string().max(9)) }, 'tags[]', /at most 9 characters/, REFUSED],
  ['a pair that becomes a triple', 'input', { at: z.tuple([z.int(), z.int()]) }, { at: z.tuple([z.int(), z.int(), z.int()]) }, 'at', /at (least|most) 3 entries/, REFUSED],
  ['the second of a pair', 'input', { at: z.tuple([z.int(), z.int()]) }, { at: z.tuple([z.int(), z.int().max(9)]) }, 'at[1]', /at most 9/, REFUSED],
  ['a triple that becomes a pair under a limit of its own', 'input', { at: z.tuple([z.int(), z.int(), z.int()]).check(z.maxLength(5)) }, { at: z.tuple([z.int(), z.int()]).check(z.maxLength(5), z.minLength(3)) }, 'at', /at most 2 entries, before at most 3/, REFUSED],
  ['values of a record', 'input', { names: z.record(z.string(), z.string()) }, { names: z.record(z.string(), z.string().max(9)) }, 'names.*', /at most 9 characters/, REFUSED],
  ['names of a record', 'input', { names: z.record(z.string(), z.int()) }, { names: z.record(z.string().max(9), z.int()) }, 'names(names)', /at most 9 characters/, REFUSED],
  ['a name that a record no longer takes', 'input', { price: z.partialRecord(z.enum(['KRW', 'EUR']), z.int()) }, { price: z.partialRecord(z.enum(['KRW']), z.int()) }, 'price(names)', /no longer takes "EUR"/, REFUSED],
  ['unknown fields refused instead of ignored', 'input', z.object({ id: z.string() }), z.strictObject({ id: z.string() }), '*', /refused, not ignored/, REFUSED],
  ['unknown fields ignored instead of refused', 'input', z.strictObject({ id: z.string() }), z.object({ id: z.string() }), '*', /no longer refused/],
  ['unknown fields ignored instead of read', 'input', z.looseObject({ id: z.string() }), z.object({ id: z.string() }), '*', /fields of other names are gone/, IGNORED],
  ['a name for what was one of many', 'input', z.object({ id: z.string() }).catchall(z.int()), z.object({ id: z.string(), watts: z.int().max(60).optional() }).catchall(z.int()), 'watts', /at most 60|is new and optional/, REFUSED],
  ['a new branch of a union', 'input', { light: z.discriminatedUnion('kind', [spot(), bar()]) }, { light: z.discriminatedUnion('kind', [spot(), wash, bar()]) }, 'light', /also takes an object whose kind is wash/],
  ['a removed branch of a union', 'input', { light: z.discriminatedUnion('kind', [spot(), bar()]) }, { light: z.discriminatedUnion('kind', [bar()]) }, 'light', /no longer takes an object whose kind is spot/, REFUSED],
  ['a field in one branch of a union', 'input', { light: z.discriminatedUnion('kind', [spot(), bar()]) }, { light: z.discriminatedUnion('kind', [bar(), spot({ hue: z.int() })]) }, 'light[kind=spot].hue', /is new and required/, MISSING],
  ['a field in one branch of a union that may be null', 'input', { light: z.discriminatedUnion('kind', [spot(), bar()]).nullable() }, { light: z.discriminatedUnion('kind', [spot({ hue: z.int().optional() }), bar()]).nullable() }, 'light[kind=spot].hue', /is new and optional/],
  ['an object that becomes one of several', 'input', { light: spot() }, { light: z.discriminatedUnion('kind', [spot(), bar()]) }, 'light', /also takes an object whose kind is bar/],
  ['branches that have values in common', 'input', { light: z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]) }, { light: z.union([z.object({ b: z.int() }), z.object({ a: z.int() })]) }, 'light', /cannot judge/, UNCLEAR],
  ['exactly one of several, which overlap', 'input', { n: z.xor([z.int(), z.number().min(5)]) }, { n: z.xor([z.int(), z.number().min(4)]) }, 'n', /cannot judge/, UNCLEAR],
  ['a rule in code', 'input', { n: z.int() }, { n: z.int().refine((n) => n % 2 === 1, 'must be odd') }, 'n', /under the rule "must be odd", before under no rule/, REFUSED],
  ['a rule in code less', 'input', { n: z.int().refine((n) => n % 2 === 1, 'must be odd') }, { n: z.int() }, 'n', /under no rule, before/],
  ['a text that is trimmed now', 'input', { note: z.string().min(1) }, { note: z.string().trim().min(1) }, 'note', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['checks before trimming that came after it', 'input', { note: z.string().trim().min(1).max(64) }, { note: z.string().min(1).max(64).trim() }, 'note', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['a looser limit before trimming', 'input', { note: z.string().max(64).trim().max(9) }, { note: z.string().max(70).trim().max(9) }, 'note', /checked before that, .* cannot judge/, UNCLEAR],
  ['a limit after trimming less', 'input', { note: z.string().trim().min(1).max(64) }, { note: z.string().trim().min(1) }, 'note', /any number of characters/],
  ['capitals instead of trimming', 'input', { note: z.string().trim() }, { note: z.string().toUpperCase() }, 'note', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['another normal form', 'input', { note: z.string().normalize('NFC') }, { note: z.string().normalize('NFKC') }, 'note', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['a rewriting in code', 'input', { note: z.string().trim() }, { note: z.string().overwrite((note) => `${note}!`) }, 'note', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['a link that is rewritten', 'input', { link: z.url() }, { link: z.url({ normalize: true }) }, 'link', /how it is rewritten .* cannot judge/, UNCLEAR],
  ['a pattern that no longer ignores case', 'input', { code: z.string().regex(/^a$/i) }, { code: z.string().regex(/^a$/) }, 'code', /with flags .* cannot judge/, UNCLEAR],
  ['a pattern that ignores case now', 'output', { code: z.string().regex(/^a$/) }, { code: z.string().regex(/^a$/i) }, 'code', /with flags .* cannot judge/, UNCLEAR],
  ['another form of the same name', 'input', { id: z.uuid() }, { id: z.uuid({ version: 'v4' }) }, 'id', /^in the form uuid, but another one than before$/, REFUSED],
  ['anything closed to a text', 'input', { note: z.unknown() }, { note: z.string() }, 'note', /no longer takes just anything/, REFUSED],
  ['a host that a link must have', 'input', { link: z.url() }, { link: z.url({ hostname: /\.example$/ }) }, 'link', /hostname/, REFUSED],
  ['an intersection with one side stricter', 'input', { w: Word.and(z.string().max(9)) }, { w: Word.and(z.string().max(5)) }, 'w', /at most 5 characters/, REFUSED],
  ['an intersection where there was none', 'input', { w: Word }, { w: Word.and(z.string().max(5)) }, 'w', /cannot judge|no longer takes|also takes/, /refused|cannot tell/],
  ['an intersection with one more', 'input', { w: Word.and(z.string().max(9)) }, { w: Word.and(z.string().max(9)).and(z.string().min(1)) }, 'w', /must hold together .* cannot judge/, UNCLEAR],
  ['what has no type in common', 'input', { w: z.never().optional() }, { w: z.string().optional() }, 'w', /no longer takes|also takes/, REFUSED],
  ['the title, the description and the name of a type', 'input', { word: Word }, { word: z.string().meta({ id: 'Term', title: 'Term', description: 'any', examples: ['x'] }) }, undefined, /^$/],
  ['the whole of an input, left out', 'input', z.object({ n: z.int() }).default({ n: 1 }), z.object({ n: z.int() }).default({ n: 2 }), undefined, /means {"n":2}, before {"n":1}/, MEANING],
];

const OUTPUTS: Row[] = [
  ['a new field', 'output', {}, { note: z.string() }, 'note', /is new/],
  ['a new optional field', 'output', {}, { note: z.string().optional() }, 'note', /is new/],
  ['a new field for readers that refuse unknown ones', 'output', z.strictObject({ id: z.string() }), z.strictObject({ id: z.string(), note: z.string() }), 'note', /is new, where readers refuse/, UNWELCOME],
  ['a removed field', 'output', { note: z.string() }, {}, 'note', /is gone/, LOST],
  ['a removed optional field', 'output', { note: z.string().optional() }, {}, 'note', /is gone/, LOST],
  ['a field that may be left out now', 'output', { note: z.string() }, { note: z.string().optional() }, 'note', /may be left out now/, LOST],
  ['a field that is always there now', 'output', { note: z.string().optional() }, { note: z.string() }, 'note', /is always there now/],
  ['a new null', 'output', { note: z.string() }, { note: z.string().nullable() }, 'note', /may also be null/, UNKNOWN],
  ['never null any more', 'output', { note: z.string().nullable() }, { note: z.string() }, 'note', /is never null any more/],
  ['a wider enum', 'output', { kind: Kind }, { kind: WiderKind }, 'kind', /may also be "wall"/, UNKNOWN],
  ['a narrower enum', 'output', { kind: WiderKind }, { kind: Kind }, 'kind', /is never "wall" any more/],
  ['an enum opened to any text', 'output', { kind: Kind }, { kind: z.string() }, 'kind', /may also be text/, UNKNOWN],
  ['any text closed to an enum', 'output', { kind: z.string() }, { kind: Kind }, 'kind', /is never text any more/],
  ['a looser bound', 'output', { watts: z.int().max(60) }, { watts: z.int().max(100) }, 'watts', /at most 100, before at most 60/, UNKNOWN],
  ['a tighter bound', 'output', { watts: z.int().max(100) }, { watts: z.int().max(60) }, 'watts', /at most 60, before at most 100/],
  ['a longer text', 'output', { note: z.string().max(50) }, { note: z.string() }, 'note', /any number of characters, before at most 50/, UNKNOWN],
  ['a format dropped', 'output', { at: z.iso.date() }, { at: z.string() }, 'at', /in any form, before in the form date/, UNKNOWN],
  ['a format promised', 'output', { at: z.string() }, { at: z.iso.date() }, 'at', /in the form date/],
  ['fractions', 'output', { watts: z.int().min(0).max(9) }, { watts: z.number().min(0).max(9) }, 'watts', /any number, before a whole/, UNKNOWN],
  ['an answer that may be empty now', 'output', { tags: z.array(z.string()).min(1) }, { tags: z.array(z.string()) }, 'tags', /any number of entries/, UNKNOWN],
  ['a new branch of a union', 'output', { light: z.discriminatedUnion('kind', [spot(), bar()]) }, { light: z.discriminatedUnion('kind', [spot(), bar(), wash]) }, 'light', /may also be an object whose kind is wash/, UNKNOWN],
  ['a removed branch of a union', 'output', { light: z.discriminatedUnion('kind', [spot(), bar()]) }, { light: z.discriminatedUnion('kind', [bar()]) }, 'light', /is never an object whose kind is spot/],
  ['a field of the second type', 'output', { light: spot({ on: z.boolean() }) }, { light: spot() }, 'light.on', /is gone/, LOST],
  ['a new name in a record', 'output', { price: z.partialRecord(z.enum(['KRW']), z.int()) }, { price: z.partialRecord(z.enum(['KRW', 'EUR']), z.int()) }, 'price(names)', /may also be "EUR"/, UNKNOWN],
  ['a record closed to its known names', 'output', z.looseObject({ id: z.string() }), z.object({ id: z.string() }), '*', /fields of other names are gone/, LOST],
  ['other names where readers refuse them', 'output', z.strictObject({ id: z.string() }), z.looseObject({ id: z.string() }), '*', /has fields of other names/, UNWELCOME],
  ['other names where readers ignore them', 'output', z.object({ id: z.string() }), z.looseObject({ id: z.string() }), '*', /has fields of other names/],
  ['a default, which no answer needs', 'output', { watts: z.int().default(40) }, { watts: z.int().default(60) }, undefined, /^$/],
  ['a rule in code less', 'output', { n: z.int().refine((n) => n > 0, 'above 0') }, { n: z.int() }, 'n', /under no rule/, UNKNOWN],
];

const EVENTS: Row[] = [
  ['a new field', 'data', {}, { note: z.string() }, 'note', /is new/],
  ['a removed field', 'data', { note: z.string() }, {}, 'note', /is gone/, SUBSCRIBERS],
  ['a field that may be left out now', 'data', { note: z.string() }, { note: z.string().optional() }, 'note', /may be left out/, SUBSCRIBERS],
  ['a wider enum', 'data', { kind: Kind }, { kind: WiderKind }, 'kind', /may also be "wall"/, SUBSCRIBERS],
  ['a new null', 'data', { note: z.string() }, { note: z.string().nullable() }, 'note', /may also be null/, SUBSCRIBERS],
  ['a narrower enum', 'data', { kind: WiderKind }, { kind: Kind }, 'kind', /is never "wall"/],
];

const typed = (fields: Fields | z.ZodType) => (fields instanceof z.ZodType ? fields : Lamp.extend(fields));

describe('a change of types', () => {
  it.each([...INPUTS, ...OUTPUTS, ...EVENTS])('%s, in %s', (_change, part, before, after, field, said, why) => {
    const changes = changesOf(having(part, typed(before)), having(part, typed(after)));
    const joined = (lines: (string | undefined)[]) => lines.join('\n');
    expect(joined(changes.map(({ change }) => change))).toMatch(said);
    expect(joined(changes.filter(({ breaking }) => breaking).map((change) => change.why))).toMatch(why ?? /^$/);
    for (const change of changes) {
      expect(change).toMatchObject({ module: 'lamp', part, ...(part === 'data' ? { event: 'lamp.turned' } : { method: 'turn' }) });
      expect(change.field).toBe(field);
      expect(Boolean(change.why && change.instead)).toBe(change.breaking);
    }
  });

  it('a renamed field is one that is gone and one that is new', () => {
    const changes = changesOf(having('output', Lamp.extend({ note: z.string() })), having('output', Lamp.extend({ remark: z.string() })));
    expect(changes.map(({ field, change, breaking }) => [field, change, breaking])).toEqual([
      ['note', 'is gone', true],
      ['remark', 'is new', false],
    ]);
  });

  it('a type that contains itself is compared to its end', () => {
    const tree = (more: Fields) => {
      const Branch: z.ZodType = z.object({ name: z.string(), parts: z.array(z.lazy(() => Branch)), ...more }).meta({ id: 'Branch' });
      return z.object({ root: Branch });
    };
    expect(changesOf(having('input', tree({})), having('input', tree({})))).toEqual([]);
    expect(changesOf(having('input', tree({})), having('input', tree({ age: z.int() })))).toMatchObject([{ field: 'root.age', breaking: true }]);
    expect(changesOf(having('output', tree({})), having('output', tree({ age: z.int() })))).toMatchObject([{ field: 'root.age', breaking: false }]);
    const wiring = (more: Fields) => {
      const Wiring: z.ZodType = z.union([z.object({ kind: z.literal('lamp'), ...more }), z.object({ kind: z.literal('joint'), left: z.lazy(() => Wiring), right: z.lazy(() => Wiring) })]);
      return z.object({ wiring: Wiring });
    };
    expect(changesOf(having('input', wiring({})), having('input', wiring({})))).toEqual([]);
    expect(changesOf(having('input', wiring({})), having('input', wiring({ age: z.int() })))).toMatchObject([{ field: 'wiring[kind=lamp].age', breaking: true }]);
    const nested = (leaf: z.ZodType) => {
      const Value: z.ZodType = z.union([leaf, z.array(z.lazy(() => Value)), z.lazy(() => Value)]);
      return z.object({ value: Value });
    };
    expect(changesOf(having('input', nested(z.string())), having('input', nested(z.int())))).not.toEqual([]);
  });

  it('a type by its name and the same written out are one', () => {
    const Size = z.object({ watts: z.int() });
    const named = z.object({ a: Size.meta({ id: 'Size' }), b: z.int().max(9).meta({ id: 'Small' }).min(1) });
    expect(changesOf(having('input', named), having('input', z.object({ a: Size, b: z.int().min(1).max(9) })))).toEqual([]);
  });

  it('patterns of a form with a name are for machines', () => {
    const [change] = changesOf(having('input', Lamp.extend({ id: z.uuid() })), having('input', Lamp.extend({ id: z.uuid({ version: 'v4' }) })));
    expect(change?.detail).toEqual({ before: [expect.stringContaining('[1-8]')], after: [expect.stringContaining('4[0-9a-fA-F]')] });
  });

  it('a keyword that the check does not know is never taken for compatible', () => {
    const odd = (x: number) => z.object({ n: z.int().meta({ 'x-odd': x }) });
    for (const part of ['input', 'output', 'data'] as const)
      expect(changesOf(having(part, odd(1)), having(part, odd(2)))).toMatchObject([{ breaking: true, field: 'n', change: '"x-odd" of its schema changed in a way this check cannot judge' }]);
  });
});

describe('a change of methods and events', () => {
  const look = { input: Lamp, output: Lamp };
  const turned = event('lamp.turned', 'id', z.object({ id: z.string(), room: z.string() }));
  const row = (change: string, before: Contract, after: Contract, expected?: Partial<Record<keyof Change, string | RegExp>>) => [change, before, after, expected] as const;

  it.each([
    row('a new method', contract({}), contract({ look: read(look) }), { method: 'look', breaking: 'false', change: 'is new' }),
    row('a removed method', contract({ look: read(look) }), contract({}), { method: 'look', breaking: 'true', change: 'is gone', why: /no answer/ }),
    row('a read that becomes a write', contract({ look: read(look) }), contract({ look: write(look) }), { method: 'look', breaking: 'true', change: /is a write/, why: /repeats it/ }),
    row('a write that becomes a read', contract({ look: write(look) }), contract({ look: read(look) }), { method: 'look', breaking: 'false', change: /is a read/ }),
    row('a key that makes it repeatable', contract({ look: write(look) }), contract({ look: write({ ...look, idempotentBy: 'id' }) }), { breaking: 'false', change: /may be repeated, by id/ }),
    row('no such key any more', contract({ look: write({ ...look, idempotentBy: 'id' }) }), contract({ look: write(look) }), { breaking: 'true', change: /no longer be repeated/, why: /take effect twice/ }),
    row(
      'another such key',
      contract({ look: write({ ...look, input: turned.data, idempotentBy: 'id' }) }),
      contract({ look: write({ ...look, input: turned.data, idempotentBy: 'room' }) }),
      { breaking: 'true', change: /by room, before by id/, why: /take effect twice/ },
    ),
    row('a removed reason', contract({ look: read({ ...look, reasons: ['dark'] }) }), contract({ look: read(look) }), { breaking: 'false', change: /never refuses .* dark/ }),
    row('a new reason', contract({ look: read(look) }), contract({ look: read({ ...look, reasons: ['dark'] }) }), { breaking: 'true', change: /reason dark/, why: /do not know this reason/ }),
    row('reasons in another order', contract({ look: read({ ...look, reasons: ['a', 'b'] }) }), contract({ look: read({ ...look, reasons: ['b', 'a'] }) })),
    row('a new event', contract({}), contract({}, { turned }), { event: 'lamp.turned', breaking: 'false', change: 'is new' }),
    row('a removed event', contract({}, { turned }), contract({}), { event: 'lamp.turned', breaking: 'true', change: 'is gone', why: /subscribed wait/ }),
    row('another order of events', contract({}, { turned }), contract({}, { turned: { ...turned, orderedBy: 'room' } }), { event: 'lamp.turned', breaking: 'true', change: /by room, before by id/, why: /count on the order/ }),
    row('an event by another name in the code', contract({}, { turned }), contract({}, { wasTurned: turned })),
  ])('%s', (_change, before, after, expected) => {
    const changes = changesOf(before, after);
    expect(changes).toHaveLength(expected ? 1 : 0);
    for (const [key, value] of Object.entries(expected ?? {})) expect(String(changes[0]?.[key as Exclude<keyof Change, 'detail'>])).toMatch(value);
  });

  it('a write that becomes a read needs no key any more', () => {
    const changes = changesOf(contract({ look: write({ ...look, idempotentBy: 'id' }) }), contract({ look: read(look) }));
    expect(changes.map(({ change, breaking }) => [change, breaking])).toEqual([
      ['is a read, before a write', false],
      ['needs no id to be repeated', false],
    ]);
  });
});

describe('two processes with a contract each', () => {
  const old = describeContract(having('output', Lamp));
  const young = describeContract(having('output', Lamp.extend({ note: z.string() })));
  it('understand each other when the caller is content with less', () => expect(misfits(old, young)).toEqual([]));
  it('do not when the caller reads what the other does not answer', () => expect(misfits(young, old)).toMatchObject([{ method: 'turn', field: 'note' }]));
});

describe('every contract of this system', () => {
  it.each(modules.map(({ contract }) => contract))('$module compared with itself has no changes', (own) => {
    expect(changesOf(own, own)).toEqual([]);
  });
});

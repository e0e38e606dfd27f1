import { describe, expect, it } from 'vitest';
import { parseJsonBody } from '../../src/edge/json-body.ts';

const parse = (text: string) => parseJsonBody(Buffer.from(text), 'application/json; charset=utf-8');

describe('parseJsonBody', () => {
  it.each(['{"a":[1,{"a":2}],"b":{"a":"}"}}', '"\\"a\\":1"', '{"a":"x\\\\","b":"a"}', '{"text":"😀 \\ud83d\\ude00"}', '[]', 'null'])(
    'reads %s',
    (text) => expect(parse(text)).toEqual(JSON.parse(text)),
  );

  it.each([
    ['a key twice', '{"a":1,"a":2}', 'invalid_json'],
    ['a key twice by escape', '{"a":1,"\\u0061" :2}', 'invalid_json'],
    ['a key twice, far from its colon', `{"a"${' '.repeat(40)}:1,"a"${' '.repeat(40)}:2}`, 'invalid_json'],
    ['a key twice inside', '{"a":[{"b":1, "c":2, "b":3}]}', 'invalid_json'],
    ['broken JSON', '{"a":', 'invalid_json'],
    ['nothing', '', 'invalid_json'],
    ['a NUL', '{"a":"\\u0000"}', 'invalid_text'],
    ['a NUL in a key', '{"\\u0000":1}', 'invalid_text'],
    ['half of a surrogate pair', '{"a":["\\ud83d"]}', 'invalid_text'],
  ])('refuses %s', (_what, text, reason) => expect(() => parse(text)).toThrow(expect.objectContaining({ reason })));

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]), 'application/json')).toThrow(expect.objectContaining({ reason: 'invalid_json' }));
  });

  it.each([undefined, 'text/plain', 'application/json; charset=euc-kr', 'application/jsonx', 'application/x-www-form-urlencoded'])('refuses the content type %s', (type) => {
    expect(() => parseJsonBody(Buffer.from('{}'), type)).toThrow(expect.objectContaining({ reason: 'content_type_unsupported' }));
  });
});

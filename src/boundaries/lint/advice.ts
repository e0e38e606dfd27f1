import type { Edge } from './imports.ts';
import type { Place } from './source.ts';

/** Something that breaks a rule, before its place and the rule's sentence are looked up. */
export interface Finding {
  rule: string;
  file: string;
  /** what the file leans on; empty when the rule is about the file itself */
  to: string;
  place?: Place;
  /** where there is no place: the import to look for */
  edge?: Edge;
  /** where there is neither: the row or the word to look for */
  word?: string;
}

/** What to do instead, for the rules that .dependency-cruiser.js cannot express. */
export const ADVICE: Readonly<Record<string, string>> = {
  'events-only': "Of the contract of a module that it may not call, a module takes the events alone: subscribe, or agree on the call in src/calls.ts.",
  'tests-by-a-helper': "By this import the module's test sees what it may not see itself: take a helper without it, or make the test a journey.",
  'queries-in-repositories': 'Only repositories and module.ts speak to the database: outside of them open a transaction and hand it to a repository.',
  'transactions-stay-open': 'Only the kernel may step out of a transaction: take what it offers (src/shared), or do the work after the commit.',
  'fakes-keep-the-inside': 'Whoever imports a fake would see the inside of its module by this: export what the fake makes, not what it is made of.',
  'tests-as-the-module': "A module's tests speak to the database in the module's own role (context.db): what needs the administrator belongs to test/setup or test/architecture.",
  'no-links': 'A symbolic link hides whose file it is: import the file where it is, if that is allowed.',
  'modules-in-the-table': 'src/modules holds modules only, and each has a row in src/calls.ts, also when it calls nobody: add the row, or move the file.',
  'table-names-modules': 'There is no such folder in src/modules: take the name out of src/calls.ts, or bring the module back.',
  'calls-go-one-way': 'Modules that call each other in a circle cannot be taken apart: let one of these calls become an event.',
  'reads-something': 'No import was read, so nothing was checked: see the options in .dependency-cruiser.js, and that the package typescript has its JavaScript interface (version 6).',
  'reads-every-module': 'Nothing of this module was read, so it was not checked: see the options in .dependency-cruiser.js.',
  'code-in-a-room': 'Code is in src, test, bin and bench, where it is read: move this file to one of them.',
  'reads-every-file': 'This file was not read, so it was not checked: see the options in .dependency-cruiser.js, and give it an extension of TypeScript or JavaScript.',
};

/**
 * The environment of Postgres and of the system's programs: they need nothing of Kerf's own, which holds secrets. English,
 * because failures are told apart by their text.
 */
export const systemEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };

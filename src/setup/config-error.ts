/** Something about the installation that a person can put right; its message is the sentence to show. */
export class ConfigError extends Error {}

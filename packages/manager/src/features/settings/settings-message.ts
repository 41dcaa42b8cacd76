/** How the message of a version begins that a change of settings made; it names a scope, which not everybody may know. */
export const settingsMessage = /^(?:settings of|override of) /;

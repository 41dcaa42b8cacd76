/** The oldest line that knows rule actions and endpoints. */
export const oldestMinor = 11;
export const oldestLine = `1.${oldestMinor}`;
/** The newest line whose differences are known here; later ones are written like it. */
export const newestMinor = 14;

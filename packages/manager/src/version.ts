/** Of the whole project; scripts check that the packages agree. */
export const version = '0.1.0';

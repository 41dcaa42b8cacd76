/** ISO 3166-1, two letters, and XK for Kosovo, which has its flag under that code. */
export const countryCodes: readonly string[] = (
  'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA ' +
  'CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA ' +
  'GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP ' +
  'KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS ' +
  'MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS ' +
  'RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW ' +
  'TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW'
).split(' ');

const known: ReadonlySet<string> = new Set(countryCodes);

export const isCountryCode = (code: string): boolean => known.has(code);

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/**
 * Codes that mean something else in the names of nodes: shadowsocks, WebSocket, Netflix, Cloudflare, Los Angeles, TV, AI,
 * autonomous systems and so on.
 * These countries are found by name and flag only.
 */
export const misleadingCodes = set(
  'AI AQ AS AX BT BV CC CF CM CU GG HM IM IO LA MC ML MS NA NF PM PS SD SH SS TD TF TV UM WS',
);

/** Codes that are words: they count only in capitals and apart from other words, as in `IN-01` and `[IT] Milan`. */
export const wordCodes = set('AD AM AT BE BY CO DO ID IN IS IT MA ME MY NO PA PR SO TO');

/** Behind a number these are units: `100 GB`, `9 AM`. */
export const unitCodes = set('AM GB KG KM MG MM');

/** Other codes that people use, read like the ISO ones but only in capitals. */
export const otherCodes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    UK: 'GB',
    USA: 'US',
    UAE: 'AE',
    KSA: 'SA',
    GER: 'DE',
    DEU: 'DE',
    NLD: 'NL',
    GBR: 'GB',
    RUS: 'RU',
    UKR: 'UA',
    SGP: 'SG',
    HKG: 'HK',
    JPN: 'JP',
    KOR: 'KR',
    TWN: 'TW',
    IND: 'IN',
    AUS: 'AU',
    CAN: 'CA',
    BRA: 'BR',
    TUR: 'TR',
    ESP: 'ES',
    ITA: 'IT',
    POL: 'PL',
    SWE: 'SE',
    FIN: 'FI',
    KAZ: 'KZ',
    IRN: 'IR',
    CHN: 'CN',
    LAX: 'US',
    SJC: 'US',
    NYC: 'US',
    JFK: 'US',
    ORD: 'US',
    DFW: 'US',
    MIA: 'US',
    NRT: 'JP',
    HND: 'JP',
    KIX: 'JP',
    ICN: 'KR',
    SIN: 'SG',
    TPE: 'TW',
    LHR: 'GB',
    LON: 'GB',
    AMS: 'NL',
    CDG: 'FR',
    SVO: 'RU',
    DME: 'RU',
    WAW: 'PL',
    ARN: 'SE',
    DXB: 'AE',
    BOM: 'IN',
    SYD: 'AU',
    YYZ: 'CA',
    GRU: 'BR',
  }),
);

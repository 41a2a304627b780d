/* See cert.h. Format reference: RFC 5280; RFC 7093 for the key identifier of an authority. */
#include "lang/cert.h"
#include "lang/rune.h"

enum { SEQUENCE = 0x30, SET = 0x31, INTEGER = 0x02, BITS = 0x03, OCTETS = 0x04, OID = 0x06,
       UTF8 = 0x0c, PRINTABLE = 0x13, UTC_TIME = 0x17, GENERAL_TIME = 0x18, VERSION = 0xa0, EXTENSIONS = 0xa3,
       DNS_NAME = 0x82, IP_ADDRESS = 0x87, KEY_ID = 0x80 };

/* A value with its tag and length around the parts one after the other. */
static struct str der(struct arena *a, int tag, size_t n, const struct str *parts)
{
    size_t total = 0, at = 0, bytes = 0;
    for (size_t i = 0; i < n; i++) total += parts[i].n;
    for (size_t rest = total; total > 127 && rest; rest >>= 8) bytes++;
    char *p = arena_alloc_bytes(a, total + bytes + 3);
    p[at++] = (char)tag;
    p[at++] = (char)(bytes ? 0x80 | bytes : total);
    while (bytes) p[at++] = (char)(total >> 8 * --bytes);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n) memcpy(p + at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return str_n(p, at);
}

#define DER(a, tag, ...) \
    der((a), (tag), sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str), (const struct str[]){__VA_ARGS__})

/* What is inside of the value at the start of *s; *s becomes what follows it. Its length is right. */
static struct str der_next(struct str *s)
{
    size_t n = (unsigned char)s->p[1], at = 2;
    if (n & 0x80)
        for (size_t bytes = n & 0x7f, i = n = 0; i < bytes; i++) n = n << 8 | (unsigned char)s->p[at++];
    struct str inside = str_sub(*s, at, n);
    *s = str_from(*s, at + n);
    return inside;
}

static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!word && (!c || !strchr(" '()+,-./:=?", c))) return false;
    }
    return true;
}

/* A name with a CN only; without one it is empty. */
static bool name_of(struct arena *a, struct str cn, struct str *out, struct err *e)
{
    for (struct str s = cn; s.n;) {
        size_t len;
        uint32_t r = rune_read(s, &len);
        if (r == 0xfffd && len == 1) return err_set(e, ERR_SPEC, "error creating certificate: asn1: string not valid UTF-8");
        s = str_from(s, len);
    }
    struct str pair = DER(a, SEQUENCE, DER(a, OID, STR("\x55\x04\x03")), DER(a, is_printable(cn) ? PRINTABLE : UTF8, cn));
    *out = cn.n ? DER(a, SEQUENCE, DER(a, SET, pair)) : DER(a, SEQUENCE, STR(""));
    return true;
}

static bool time_of(struct arena *a, struct moment m, struct str *out, struct err *e)
{
    struct moment_parts p = moment_parts(m);
    bool utc = p.year >= 1950 && p.year < 2050;
    if (p.year < 0 || p.year > 9999)
        return err_set(e, ERR_SPEC, "error creating certificate: asn1: structure error: cannot represent time as GeneralizedTime");
    struct str text = str_fmt(a, "%04d%02d%02d%02d%02d%02dZ", (int)p.year, p.month, p.day, p.hour, p.minute, p.second);
    *out = DER(a, utc ? UTC_TIME : GENERAL_TIME, str_from(text, utc ? 2 : 0));
    return true;
}

static struct str serial_of(struct arena *a, const unsigned char *bytes)
{
    struct str s = str_n((const char *)bytes, CERT_SERIAL_BYTES);
    while (s.n > 1 && !s.p[0]) s = str_from(s, 1);
    return DER(a, INTEGER, s.p[0] & 0x80 ? str_n("", 1) : STR(""), s);
}

/* --- extensions --- */

#define CRITICAL STR("\x01\x01\xff")

static struct str extension(struct arena *a, const char *id, bool critical, struct str value)
{
    struct str arc = {id, 3}; /* 2.5.29.N */
    return DER(a, SEQUENCE, DER(a, OID, arc), critical ? CRITICAL : STR(""), DER(a, OCTETS, value));
}

static bool key_id_of(struct arena *a, struct str public_key, struct str *out, struct err *e)
{
    unsigned char hash[32];
    struct str info = public_key, parts = der_next(&info);
    der_next(&parts); /* the algorithm */
    if (!crypto_sha256(str_from(der_next(&parts), 1), hash, e)) return false;
    *out = str_dup(a, str_n((const char *)hash, 20));
    return true;
}

static bool names_of(struct arena *a, const struct cert_wish *w, struct str *out, struct err *e)
{
    struct str *all = ARENA_ARRAY(a, struct str, w->n_dns + w->n_ips + 1);
    size_t n = 0;
    for (size_t i = 0; i < w->n_dns; i++) {
        for (size_t c = 0; c < w->dns[i].n; c++)
            if ((unsigned char)w->dns[i].p[c] >= 0x80)
                return err_set(e, ERR_SPEC, "error creating certificate: x509: \"%.*s\" cannot be encoded as an IA5String",
                               STR_ARG(w->dns[i]));
        all[n++] = DER(a, DNS_NAME, w->dns[i]);
    }
    for (size_t i = 0; i < w->n_ips; i++) all[n++] = DER(a, IP_ADDRESS, w->ips[i]);
    *out = der(a, SEQUENCE, n, all);
    return true;
}

struct ids {
    struct str own, issuer; /* "" = none */
};

static bool extensions_of(struct arena *a, const struct cert_wish *w, const struct ids *ids, struct str *out, struct err *e)
{
    struct str all[6], names;
    size_t n = 0;
    all[n++] = extension(a, "\x55\x1d\x0f", true, w->authority ? STR("\x03\x02\x02\xa4") : STR("\x03\x02\x05\xa0"));
    struct str server = DER(a, OID, STR("\x2b\x06\x01\x05\x05\x07\x03\x01")), client = DER(a, OID, STR("\x2b\x06\x01\x05\x05\x07\x03\x02"));
    all[n++] = extension(a, "\x55\x1d\x25", false, DER(a, SEQUENCE, server, client));
    all[n++] = extension(a, "\x55\x1d\x13", true, DER(a, SEQUENCE, w->authority ? CRITICAL : STR("")));
    if (ids->own.n) all[n++] = extension(a, "\x55\x1d\x0e", false, DER(a, OCTETS, ids->own));
    if (ids->issuer.n) all[n++] = extension(a, "\x55\x1d\x23", false, DER(a, SEQUENCE, DER(a, KEY_ID, ids->issuer)));
    if (!names_of(a, w, &names, e)) return false;
    if (w->n_dns + w->n_ips) all[n++] = extension(a, "\x55\x1d\x11", !w->cn.n, names);
    *out = DER(a, EXTENSIONS, der(a, SEQUENCE, n, all));
    return true;
}

/* --- */

static bool fault(struct err *e, const char *text) { return err_set(e, ERR_SPEC, "error creating certificate: x509: %s", text); }

bool cert_make(struct arena *a, const struct cert_wish *w, const struct crypto_key *key, const struct crypto_issuer *issuer,
               const struct crypto_key *signer, struct str *out, struct err *e)
{
    struct str subject, from, to, extensions, signature, algorithm = crypto_key_algorithm(signer);
    struct ids ids = {STR(""), STR("")};
    struct str public_key = crypto_key_public(a, key);
    if (!str_set(algorithm)) return fault(e, "only RSA, ECDSA and Ed25519 keys supported");
    if (!str_set(crypto_key_algorithm(key)) || !str_set(public_key)) return fault(e, "unsupported public key type");
    if (issuer && !issuer->owns) return fault(e, "provided PrivateKey doesn't match parent's PublicKey");
    if (!name_of(a, w->cn, &subject, e) || !time_of(a, w->from, &from, e) || !time_of(a, w->to, &to, e)) return false;
    if (w->authority && !key_id_of(a, public_key, &ids.own, e)) return false;
    if (issuer && !str_eq(issuer->name, subject)) ids.issuer = issuer->key_id;
    if (!extensions_of(a, w, &ids, &extensions, e)) return false;
    struct str body = DER(a, SEQUENCE, DER(a, VERSION, STR("\x02\x01\x02")), serial_of(a, w->serial), algorithm,
                          issuer ? issuer->name : subject, DER(a, SEQUENCE, from, to), subject, public_key, extensions);
    if (!crypto_sign(a, signer, body, &signature, e)) return false;
    *out = DER(a, SEQUENCE, body, algorithm, DER(a, BITS, str_n("", 1), signature));
    return true;
}

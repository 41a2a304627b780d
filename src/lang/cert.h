/* X.509 certificates as Go's x509.CreateCertificate makes them for sprig: the same fields and extensions, in
 * the same order and encoding. Runs on: any thread. */
#pragma once
#include "lang/crypto.h"
#include "lang/timefmt.h"

enum { CERT_SERIAL_BYTES = 16 };

struct cert_wish {
    struct str cn;
    const struct str *dns; /* names, ASCII */
    size_t n_dns;
    const struct str *ips; /* 4 or 16 bytes each */
    size_t n_ips;
    struct moment from, to;
    bool authority;
    unsigned char serial[CERT_SERIAL_BYTES];
};

/* The certificate in DER for the public part of `key`, signed by `signer`; without an issuer it is the
 * certificate's own. */
bool cert_make(struct arena *a, const struct cert_wish *w, const struct crypto_key *key, const struct crypto_issuer *issuer,
               const struct crypto_key *signer, struct str *out, struct err *e);

/* Keys, signatures, ciphers and password hashes for sprig's functions. libcrypto and libcrypt are opened
 * with the first use, so that who needs none of it does not wait for them.
 *
 * New keys come from libcrypto's own random numbers, the one thing in this folder that is not a function of
 * its arguments: a key that could be worked out from the number that a run begins with would be none.
 * Runs on: any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum crypto_kind { CRYPTO_RSA, CRYPTO_DSA, CRYPTO_EC, CRYPTO_ED25519, CRYPTO_OTHER };

struct crypto_key; /* a private key */
void crypto_key_clear(struct crypto_key **k); /* for CLEANUP */

/* EC is P-256, DSA is (2048, 256); bits are RSA's. */
struct crypto_key *crypto_key_new(enum crypto_kind kind, int bits, struct err *e);
/* DER of one key: PKCS#1, SEC 1, OpenSSL's form of DSA, or (CRYPTO_OTHER) PKCS#8 of any kind. */
struct crypto_key *crypto_key_read(enum crypto_kind form, struct str der, struct err *e);
enum crypto_kind crypto_key_kind(const struct crypto_key *k);
struct str crypto_key_der(struct arena *a, const struct crypto_key *k);    /* the form of its kind */
struct str crypto_key_public(struct arena *a, const struct crypto_key *k); /* SubjectPublicKeyInfo */
struct str crypto_key_algorithm(const struct crypto_key *k); /* AlgorithmIdentifier of its signatures, DER */
bool crypto_sign(struct arena *a, const struct crypto_key *k, struct str data, struct str *out, struct err *e);

struct crypto_issuer {
    struct str name;   /* its subject, DER */
    struct str key_id; /* subjectKeyIdentifier, or "" */
    bool owns;         /* the key below is that of the certificate */
};
/* Reads a certificate in DER; `k` may be NULL. */
bool crypto_issuer_read(struct arena *a, struct str der, const struct crypto_key *k, struct crypto_issuer *out, struct err *e);

bool crypto_sha256(struct str data, unsigned char out[32], struct err *e);
bool crypto_hmac_sha256(struct str key, struct str data, unsigned char out[32], struct err *e);
bool crypto_scrypt(struct str password, struct str salt, unsigned char out[64], struct err *e); /* N 32768, r 8, p 2 */
/* AES-256-CBC without padding: whole blocks of 16 bytes, in to out. */
bool crypto_aes_cbc(bool encrypt, const unsigned char key[32], const unsigned char iv[16], struct str in, char *out, struct err *e);
/* bcrypt with cost 10: "$2a$10$" + salt + hash. At most 72 bytes and no NUL. */
bool crypto_bcrypt(struct arena *a, struct str password, const unsigned char salt[16], struct str *out, struct err *e);

/* See digest.h. The constants of SHA-256 are the upper halves of those of SHA-512. */
#include "lang/digest.h"

enum { BLOCK_MAX = 128 };

static const uint64_t keys[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static const uint64_t start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
                             0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                             0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                             0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

static uint32_t ror32(uint32_t v, int n) { return v >> n | v << (32 - n); }
static uint64_t ror64(uint64_t v, int n) { return v >> n | v << (64 - n); }

static uint64_t read_word(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) v = v << 8 | p[i];
    return v;
}

static void sha1_block(uint64_t *h, const unsigned char *block)
{
    static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t w[80], v[5];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)read_word(block + 4 * i, 4);
    for (int i = 16; i < 80; i++) w[i] = ror32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 31);
    for (int i = 0; i < 5; i++) v[i] = (uint32_t)h[i];
    for (int i = 0; i < 80; i++) {
        uint32_t choose = (v[1] & v[2]) | (~v[1] & v[3]), parity = v[1] ^ v[2] ^ v[3];
        uint32_t majority = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
        uint32_t f = i < 20 ? choose : i / 20 == 2 ? majority : parity;
        uint32_t next = ror32(v[0], 27) + f + v[4] + k[i / 20] + w[i];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = ror32(v[1], 2);
        v[1] = v[0];
        v[0] = next;
    }
    for (int i = 0; i < 5; i++) h[i] = (uint32_t)h[i] + v[i];
}

static void sha256_block(uint64_t *h, const unsigned char *block)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = (uint32_t)read_word(block + 4 * i, 4);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = ror32(w[i - 15], 7) ^ ror32(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = ror32(w[i - 2], 17) ^ ror32(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    for (int i = 0; i < 8; i++) v[i] = (uint32_t)h[i];
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = ror32(v[4], 6) ^ ror32(v[4], 11) ^ ror32(v[4], 25);
        uint32_t s0 = ror32(v[0], 2) ^ ror32(v[0], 13) ^ ror32(v[0], 22);
        uint32_t one = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + (uint32_t)(keys[i] >> 32) + w[i];
        uint32_t two = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] = (uint32_t)((uint32_t)h[i] + v[i]);
}

static void sha512_block(uint64_t *h, const unsigned char *block)
{
    uint64_t w[80], v[8];
    for (int i = 0; i < 16; i++) w[i] = read_word(block + 8 * i, 8);
    for (int i = 16; i < 80; i++) {
        uint64_t s0 = ror64(w[i - 15], 1) ^ ror64(w[i - 15], 8) ^ w[i - 15] >> 7;
        uint64_t s1 = ror64(w[i - 2], 19) ^ ror64(w[i - 2], 61) ^ w[i - 2] >> 6;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 80; i++) {
        uint64_t s1 = ror64(v[4], 14) ^ ror64(v[4], 18) ^ ror64(v[4], 41);
        uint64_t s0 = ror64(v[0], 28) ^ ror64(v[0], 34) ^ ror64(v[0], 39);
        uint64_t one = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + keys[i] + w[i];
        uint64_t two = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

struct kind {
    void (*run)(uint64_t *h, const unsigned char *block);
    size_t block, word, words;
};

/* Whole blocks, then the rest with the end mark and the length in bits. */
static struct str digest(struct arena *a, struct str s, const struct kind *k, uint64_t h[8])
{
    unsigned char last[2 * BLOCK_MAX] = {0};
    size_t at = 0;
    for (; s.n - at >= k->block; at += k->block) k->run(h, (const unsigned char *)s.p + at);
    size_t rest = s.n - at, total = rest + 1 + 2 * k->word > k->block ? 2 * k->block : k->block;
    if (rest) memcpy(last, s.p + at, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[total - 1 - (size_t)i] = (unsigned char)((uint64_t)s.n * 8 >> 8 * i);
    for (at = 0; at < total; at += k->block) k->run(h, last + at);
    char *hex = arena_alloc_bytes(a, k->words * k->word * 2 + 1);
    for (size_t i = 0; i < k->words; i++)
        snprintf(hex + i * k->word * 2, k->word * 2 + 1, "%0*llx", (int)k->word * 2, (unsigned long long)h[i]);
    return str_n(hex, k->words * k->word * 2);
}

struct str digest_sha1(struct arena *a, struct str s)
{
    static const struct kind kind = {sha1_block, 64, 4, 5};
    uint64_t h[8] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    return digest(a, s, &kind, h);
}

struct str digest_sha256(struct arena *a, struct str s)
{
    static const struct kind kind = {sha256_block, 64, 4, 8};
    uint64_t h[8];
    for (int i = 0; i < 8; i++) h[i] = start[i] >> 32;
    return digest(a, s, &kind, h);
}

struct str digest_sha512(struct arena *a, struct str s)
{
    static const struct kind kind = {sha512_block, 128, 8, 8};
    uint64_t h[8];
    memcpy(h, start, sizeof h);
    return digest(a, s, &kind, h);
}

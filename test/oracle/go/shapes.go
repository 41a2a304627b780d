package main

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// What can be said about a value that is another each time: everything but the random part. A value that
// does not hold together (a signature, a hash) is told too.

var uuids = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// args: JSON text of the value (or an error), password.
func shape(args []any) string {
	text, password := args[0].(string), args[1].(string)
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	switch v := v.(type) {
	case string:
		return "text: " + textShape(v, password)
	case map[string]any:
		return certShape(v, nil)
	case []any:
		ca := v[0].(map[string]any)
		return certShape(ca, nil) + "\nsigned: " + certShape(v[1].(map[string]any), ca)
	}
	return text
}

func textShape(s, password string) string {
	if user, hash, ok := strings.Cut(s, ":"); ok && strings.HasPrefix(hash, "$") {
		return user + ":" + textShape(hash, password)
	}
	if strings.HasPrefix(s, "$") {
		return fmt.Sprintf("%s %d %v", s[:7], len(s), bcrypt.CompareHashAndPassword([]byte(s), []byte(password)))
	}
	if strings.HasPrefix(s, "-----BEGIN") {
		_, text := keyShape(s)
		return text
	}
	if uuids.MatchString(s) {
		return "uuid"
	}
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return fmt.Sprintf("%d bytes, %q", len(b), decrypted(b, password))
	}
	return s
}

func decrypted(b []byte, password string) string {
	if len(b) < 32 || len(b)%16 != 0 {
		return ""
	}
	key := make([]byte, 32)
	copy(key, password)
	block, _ := aes.NewCipher(key)
	out := make([]byte, len(b)-16)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(out, b[16:])
	return string(out)
}

type dsaKey struct {
	Version       int
	P, Q, G, Y, X *big.Int
}

// The key, and what it is; PEM that is not written as Go writes it is told.
func keyShape(text string) (crypto.PublicKey, string) {
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, "no PEM"
	}
	how := block.Type
	if len(rest) > 0 || string(pem.EncodeToMemory(block)) != text {
		how += " (odd PEM)"
	}
	var again []byte
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		var k *rsa.PrivateKey
		if k, err = x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			again, public = x509.MarshalPKCS1PrivateKey(k), k.Public()
			how += fmt.Sprintf(" %d %d %v", k.N.BitLen(), k.E, k.Validate())
		}
	case "EC PRIVATE KEY":
		var k *ecdsa.PrivateKey
		if k, err = x509.ParseECPrivateKey(block.Bytes); err == nil {
			again, _ = x509.MarshalECPrivateKey(k)
			public = k.Public()
			how += " " + k.Curve.Params().Name
		}
	case "DSA PRIVATE KEY":
		var k dsaKey
		if _, err = asn1.Unmarshal(block.Bytes, &k); err == nil {
			again, _ = asn1.Marshal(k)
			good := new(big.Int).Exp(k.G, k.X, k.P).Cmp(k.Y) == 0
			how += fmt.Sprintf(" %d %d %v", k.P.BitLen(), k.Q.BitLen(), good)
			public = &dsa.PublicKey{Parameters: dsa.Parameters{P: k.P, Q: k.Q, G: k.G}, Y: k.Y}
		}
	case "PRIVATE KEY":
		var k any
		if k, err = x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			again, _ = x509.MarshalPKCS8PrivateKey(k)
			if e, ok := k.(ed25519.PrivateKey); ok {
				public = e.Public()
			}
			how += fmt.Sprintf(" %T", k)
		}
	}
	if err != nil || !bytes.Equal(again, block.Bytes) {
		how += fmt.Sprintf(" (not as Go writes it: %v)", err)
	}
	return public, how
}

func certOf(m map[string]any) (*x509.Certificate, string) {
	text, _ := m["Cert"].(string)
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 || string(pem.EncodeToMemory(block)) != text {
		return nil, "odd PEM"
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err.Error()
	}
	return c, ""
}

type equaler interface{ Equal(crypto.PublicKey) bool }

func keyID(c *x509.Certificate) []byte {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	sum := sha256.Sum256(info.Key.Bytes)
	return sum[:20]
}

// ca nil: it signed itself.
func certShape(m, ca map[string]any) string {
	c, fault := certOf(m)
	if c == nil {
		return fault
	}
	signer := c
	if ca != nil {
		if signer, fault = certOf(ca); signer == nil {
			return fault
		}
	}
	key, _ := m["Key"].(string)
	public, how := keyShape(key)
	var b strings.Builder
	own, ok := public.(equaler)
	fmt.Fprintf(&b, "%s own %v\n", how, ok && own.Equal(c.PublicKey))
	fmt.Fprintf(&b, "version %d, serial %v, %v, signed %v\n", c.Version, c.SerialNumber.Sign() > 0 && c.SerialNumber.BitLen() <= 128,
		c.SignatureAlgorithm, signer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature))
	fmt.Fprintf(&b, "subject %x issuer %x %v\n", c.RawSubject, c.RawIssuer, bytes.Equal(c.RawIssuer, signer.RawSubject))
	now := time.Since(c.NotBefore).Abs() < time.Minute
	fmt.Fprintf(&b, "now %v for %v\n", now, (c.NotAfter.Sub(c.NotBefore) + time.Second/2).Truncate(10*time.Second))
	for _, e := range c.Extensions {
		value := fmt.Sprintf("%x", e.Value)
		switch e.Id.String() {
		case "2.5.29.14":
			value = fmt.Sprint(bytes.Equal(c.SubjectKeyId, keyID(c)))
		case "2.5.29.35":
			value = fmt.Sprintf("%x %v", e.Value[:4], bytes.Equal(c.AuthorityKeyId, signer.SubjectKeyId))
		}
		fmt.Fprintf(&b, "%v %v %s\n", e.Id, e.Critical, value)
	}
	return b.String()
}

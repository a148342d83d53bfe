using System;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MinaMeddelanden
{
    /// <summary>The certificate and key of the organisation that sends.</summary>
    public sealed class Signer
    {
        public X509Certificate2 Certificate { get; }

        public RSA Key { get; }

        /// <summary>The organisation number: 12 digits that begin with 16.</summary>
        public string OrganisationNumber => Organisation.Number(Certificate);

        public string Name => Organisation.Name(Certificate);

        private Signer(X509Certificate2 certificate, RSA key)
        {
            Certificate = certificate;
            Key = key;
        }

        /// <summary>Reads the two PEM files; the first certificate of the file is the signer's own.</summary>
        public static Signer Load(string certificateFile, string keyFile)
        {
            var certificate = new X509Certificate2(Pem(certificateFile, "CERTIFICATE"));
            RSAParameters key = PrivateKey(Pem(keyFile, "PRIVATE KEY"));
            byte[] modulus = ((RSA)certificate.PublicKey.Key).ExportParameters(false).Modulus;
            if (!modulus.SequenceEqual(key.Modulus))
            {
                throw new CryptographicException(
                    "the key in " + keyFile + " does not belong to the certificate in " + certificateFile);
            }
            RSA rsa = RSA.Create();
            rsa.ImportParameters(key);
            return new Signer(certificate, rsa);
        }

        private static byte[] Pem(string file, string label)
        {
            string text = File.ReadAllText(file);
            string begin = "-----BEGIN " + label + "-----";
            int start = text.IndexOf(begin, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf("-----END " + label + "-----", start, StringComparison.Ordinal);
            if (end < 0)
            {
                throw new FormatException(file + " holds no " + label);
            }
            start += begin.Length;
            return Convert.FromBase64String(text.Substring(start, end - start));
        }

        /// <summary>An RSA key in PKCS #8, which .NET Framework and mono cannot read by themselves.</summary>
        private static RSAParameters PrivateKey(byte[] pkcs8)
        {
            DerReader info = new DerReader(pkcs8).Enter(DerReader.Sequence);
            info.Read(DerReader.Integer); // the version
            string algorithm = info.Enter(DerReader.Sequence).ReadObjectIdentifier();
            if (algorithm != "1.2.840.113549.1.1.1")
            {
                throw new FormatException("the key is not an RSA key");
            }
            DerReader key = info.Enter(DerReader.OctetString).Enter(DerReader.Sequence);
            key.Read(DerReader.Integer); // the version
            byte[] modulus = key.ReadUnsigned();
            int whole = modulus.Length;
            int half = (whole + 1) / 2;
            return new RSAParameters
            {
                Modulus = modulus,
                Exponent = key.ReadUnsigned(),
                D = Padded(key.ReadUnsigned(), whole),
                P = Padded(key.ReadUnsigned(), half),
                Q = Padded(key.ReadUnsigned(), half),
                DP = Padded(key.ReadUnsigned(), half),
                DQ = Padded(key.ReadUnsigned(), half),
                InverseQ = Padded(key.ReadUnsigned(), half),
            };
        }

        // One number in 256 is a byte shorter than its key; RSAParameters wants the full length.
        private static byte[] Padded(byte[] number, int length)
        {
            return new byte[Math.Max(0, length - number.Length)].Concat(number).ToArray();
        }
    }
}

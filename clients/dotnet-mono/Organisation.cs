using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MinaMeddelanden
{
    /// <summary>The organisation that a certificate names.</summary>
    public static class Organisation
    {
        private const string OrganisationName = "2.5.4.10";
        private const string SerialNumber = "2.5.4.5";

        /// <summary>The organisation number: 12 digits that begin with 16.</summary>
        public static string Number(X509Certificate2 certificate)
        {
            return Subject(certificate, SerialNumber);
        }

        public static string Name(X509Certificate2 certificate)
        {
            return Subject(certificate, OrganisationName);
        }

        // The printed subject cannot be split safely: relative names may have several values, and values hold commas.
        private static string Subject(X509Certificate2 certificate, string oid)
        {
            DerReader name = new DerReader(certificate.SubjectName.RawData).Enter(DerReader.Sequence);
            while (!name.AtEnd)
            {
                DerReader relativeName = name.Enter(DerReader.Set);
                while (!relativeName.AtEnd)
                {
                    DerReader attribute = relativeName.Enter(DerReader.Sequence);
                    if (attribute.ReadObjectIdentifier() == oid)
                    {
                        return attribute.ReadString();
                    }
                }
            }
            throw new CryptographicException("the subject of the certificate has no " + new Oid(oid).FriendlyName);
        }
    }
}

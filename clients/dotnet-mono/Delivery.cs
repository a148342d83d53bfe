using System;
using System.IO;
using System.Security.Cryptography;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;

namespace MinaMeddelanden
{
    /// <summary>A secure delivery with one message, and its signature.</summary>
    /// <remarks>
    /// Every element is in a default namespace, and none has a prefix. In that form all ways of computing a digest agree.
    /// </remarks>
    public static class Delivery
    {
        public const string MessageV3 = "http://minameddelanden.gov.se/schema/Message/v3";

        private const string MessageV1 = "http://minameddelanden.gov.se/schema/Message";
        private const string MessageV2 = "http://minameddelanden.gov.se/schema/Message/v2";
        private const string Sender = "http://minameddelanden.gov.se/schema/Sender";
        private const string RsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
        private const string Sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";

        /// <summary>A SignedDelivery that waits for its signature.</summary>
        public static XmlDocument Build(Signer signer, string recipient, string subject, string textFile, string pdfFile)
        {
            // The message is UTF-8; a file that is not is refused here, before it reaches anyone.
            string text = File.ReadAllText(textFile, new UTF8Encoding(false, throwOnInvalidBytes: true));
            byte[] pdf = File.ReadAllBytes(pdfFile);

            // White space is part of what is signed.
            var document = new XmlDocument { PreserveWhitespace = true };
            XmlElement root = document.CreateElement("SignedDelivery", MessageV3);
            document.AppendChild(root);
            XmlElement delivery = Add(root, MessageV3, "Delivery");
            XmlElement header = Add(delivery, MessageV3, "Header");
            XmlElement sender = Add(header, MessageV2, "Sender");
            Add(sender, Sender, "Id", signer.OrganisationNumber);
            Add(sender, Sender, "Name", signer.Name);
            Add(header, MessageV2, "Recipient", recipient);

            XmlElement message = Add(delivery, MessageV3, "Message");
            XmlElement messageHeader = Add(message, MessageV3, "Header");
            // The sender's own, and never the same again.
            Add(messageHeader, MessageV3, "Id", Guid.NewGuid().ToString());
            Add(messageHeader, MessageV3, "Subject", subject);
            Add(Add(messageHeader, MessageV3, "Supportinfo"), MessageV3, "Text", "");
            Add(messageHeader, MessageV3, "Language", "svSE");

            XmlElement body = Add(message, MessageV3, "Body");
            Add(body, MessageV1, "ContentType", "text/plain");
            Add(body, MessageV1, "Body", Convert.ToBase64String(Encoding.UTF8.GetBytes(text)));

            XmlElement attachment = Add(message, MessageV3, "Attachment");
            Add(attachment, MessageV1, "ContentType", "application/pdf");
            Add(attachment, MessageV1, "Body", Convert.ToBase64String(pdf));
            Add(attachment, MessageV1, "Checksum", Checksum(pdf));
            Add(attachment, MessageV1, "Filename", Path.GetFileName(pdfFile));
            return document;
        }

        /// <summary>The document with its signature. From here on nothing may write the XML anew.</summary>
        public static string Sign(XmlDocument document, Signer signer)
        {
            // An empty URI means the whole document. One transform, enveloped-signature, is all that every receiver accepts.
            var reference = new Reference("") { DigestMethod = Sha256 };
            reference.AddTransform(new XmlDsigEnvelopedSignatureTransform());
            var certificate = new KeyInfoX509Data(signer.Certificate);
            certificate.AddSubjectName(signer.Certificate.Subject);

            var signature = new SignedXml(document) { SigningKey = signer.Key };
            signature.SignedInfo.SignatureMethod = RsaSha256;
            signature.SignedInfo.CanonicalizationMethod = SignedXml.XmlDsigExcC14NTransformUrl;
            signature.AddReference(reference);
            signature.KeyInfo.AddClause(certificate);
            signature.ComputeSignature();

            document.DocumentElement.AppendChild(document.ImportNode(signature.GetXml(), true));
            return document.OuterXml;
        }

        // The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
        private static string Checksum(byte[] content)
        {
            using (MD5 md5 = MD5.Create())
            {
                return BitConverter.ToString(md5.ComputeHash(content)).Replace("-", "");
            }
        }

        private static XmlElement Add(XmlElement parent, string ns, string name, string text = null)
        {
            XmlElement element = parent.OwnerDocument.CreateElement(name, ns);
            if (text != null)
            {
                element.InnerText = text;
            }
            parent.AppendChild(element);
            return element;
        }
    }
}

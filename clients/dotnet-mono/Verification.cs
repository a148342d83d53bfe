using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Xml;

namespace MinaMeddelanden
{
    /// <summary>A signature is missing, does not verify, or was made by somebody who is not trusted.</summary>
    public sealed class InvalidSignature : Exception
    {
        public InvalidSignature(string message) : base(message)
        {
        }
    }

    /// <summary>A document whose signature holds. Read this, and nothing of what came around it.</summary>
    public sealed class VerifiedDocument
    {
        public XmlElement Root { get; }

        /// <summary>The organisation number of the signer.</summary>
        public string Signer { get; }

        public VerifiedDocument(XmlElement root, string signer)
        {
            Root = root;
            Signer = signer;
        }
    }

    /// <summary>Verifies a sealed delivery as it came: the dispatcher's seal and the sender's signature.</summary>
    public sealed class Verification
    {
        private const string Soap = "http://schemas.xmlsoap.org/soap/envelope/";
        private const string ServiceV3 = "http://minameddelanden.gov.se/schema/Service/v3";
        private const string MessageV3 = "http://minameddelanden.gov.se/schema/Message/v3";

        private static readonly string[] Canonicalizations =
            { SignedXml.XmlDsigExcC14NTransformUrl, SignedXml.XmlDsigC14NTransformUrl };

        private static readonly string[] SignatureMethods = new[] { "256", "384", "512" }
            .Select(bits => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha" + bits).ToArray();

        private static readonly string[] Digests =
        {
            "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384",
            "http://www.w3.org/2001/04/xmlenc#sha512",
        };

        private readonly List<X509Certificate2> authorities;

        /// <summary>Trusts the authorities in these PEM files, each of which may hold several.</summary>
        public Verification(IEnumerable<string> files)
        {
            authorities = files.SelectMany(ReadCertificates).ToList();
        }

        /// <summary>
        /// Verifies the seal, and then the sender's signature in what the seal covers; returns first the one and then the
        /// other. The file is a request of deliverSecure as it came, or a SealedDelivery alone. That the one who sealed may
        /// dispatch for the sender, the register knows.
        /// </summary>
        public VerifiedDocument[] VerifySealed(string file)
        {
            XmlElement element = Parse(File.ReadAllText(file)).DocumentElement;
            if (!Is(element, MessageV3, "SealedDelivery"))
            {
                element = Only(Only(Only(element, Soap, "Body"), ServiceV3, "deliverSecure"), ServiceV3, "deliverSecure");
            }
            VerifiedDocument seal = Verify(element, "SealedDelivery");
            return new[] { seal, Verify(Only(seal.Root, MessageV3, "SignedDelivery"), "SignedDelivery") };
        }

        private VerifiedDocument Verify(XmlElement element, string name)
        {
            X509Certificate2 certificate = TrustedCertificate(SignatureOf(element, name), name);
            // Either what came was signed as it is, or SOAP software gave it prefixes that the signer did not write.
            foreach (string document in new[] { AsItCame(element, name), PrefixFree(element, name) })
            {
                XmlElement root = Parse(document).DocumentElement;
                if (Holds(root, certificate, name))
                {
                    return new VerifiedDocument(root, Organisation.Number(certificate));
                }
            }
            throw new InvalidSignature(name + ": the signature does not verify, its content was changed");
        }

        private static bool Holds(XmlElement root, X509Certificate2 certificate, string name)
        {
            XmlElement signature = SignatureOf(root, name);
            var signedXml = new DeliverySignature(root);
            signedXml.LoadXml(signature);
            CheckForm(signedXml.Signature, root.GetAttribute("Id"), name);
            return signedXml.CheckSignature(certificate, true);
        }

        /// <summary>"Valid" says that something was signed. This makes sure that it is the whole root, with SHA-2.</summary>
        private static void CheckForm(Signature signature, string id, string name)
        {
            SignedInfo info = signature.SignedInfo;
            var reference = (Reference)info.References[0];
            string[] transforms = Enumerable.Range(0, reference.TransformChain.Count)
                .Select(place => reference.TransformChain[place].Algorithm).ToArray();
            bool whole = reference.Uri == "" || (id != "" && reference.Uri == "#" + id);
            bool enveloped = transforms.Length > 0 && transforms.Length <= 2
                && transforms[0] == SignedXml.XmlDsigEnvelopedSignatureTransformUrl
                && transforms.Skip(1).All(Canonicalizations.Contains);
            if (info.References.Count != 1 || !whole || !enveloped
                || !Canonicalizations.Contains(info.CanonicalizationMethod)
                || !SignatureMethods.Contains(info.SignatureMethod) || !Digests.Contains(reference.DigestMethod))
            {
                throw new InvalidSignature(name + ": the signature must have one reference, to the whole element, with SHA-2");
            }
        }

        private X509Certificate2 TrustedCertificate(XmlElement signature, string name)
        {
            X509Certificate2[] came = signature.GetElementsByTagName("X509Certificate", SignedXml.XmlDsigNamespaceUrl)
                .Cast<XmlElement>().Select(each => new X509Certificate2(Convert.FromBase64String(each.InnerText))).ToArray();
            if (came.Length == 0)
            {
                throw new InvalidSignature(name + ": the signature carries no certificate");
            }
            var chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            // The authorities are ours, not those of the machine's store.
            chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            chain.ChainPolicy.ExtraStore.AddRange(came.Concat(authorities).ToArray());
            bool valid = chain.Build(came[0]);
            bool trusted = chain.ChainElements.Cast<X509ChainElement>().Skip(1)
                .Any(each => authorities.Any(one => one.RawData.SequenceEqual(each.Certificate.RawData)));
            if (!valid || !trusted)
            {
                throw new InvalidSignature(name + ": the certificate is not valid now, or from no trusted authority");
            }
            return came[0];
        }

        private static XmlElement SignatureOf(XmlElement element, string name)
        {
            List<XmlElement> children = Children(element);
            List<XmlElement> found =
                children.Where(each => Is(each, SignedXml.XmlDsigNamespaceUrl, "Signature")).ToList();
            if (found.Count != 1 || found[0] != children.Last())
            {
                throw new InvalidSignature(name + ": there must be one signature, as the last child");
            }
            return found[0];
        }

        private static string AsItCame(XmlElement element, string name)
        {
            // The name on the wire can have a prefix of its own. What the signer wrote, the first child tells.
            string prefix = Children(element)[0].Prefix;
            XmlDocument document = NewDocument();
            XmlElement root = document.CreateElement(prefix, name, MessageV3);
            document.AppendChild(root);
            foreach (XmlAttribute attribute in element.Attributes)
            {
                if (attribute.Name != "xmlns")
                {
                    root.SetAttributeNode((XmlAttribute)document.ImportNode(attribute, true));
                }
            }
            foreach (XmlNode child in element.ChildNodes)
            {
                root.AppendChild(document.ImportNode(child, true));
            }
            return document.OuterXml;
        }

        private static string PrefixFree(XmlElement element, string name)
        {
            XmlDocument document = NewDocument();
            Copy(element, document, MessageV3, name);
            return document.OuterXml;
        }

        private static void Copy(XmlElement from, XmlNode parent, string space, string name)
        {
            XmlDocument document = parent as XmlDocument ?? parent.OwnerDocument;
            XmlElement made = document.CreateElement(name, space);
            parent.AppendChild(made);
            foreach (XmlAttribute attribute in from.Attributes)
            {
                if (attribute.NamespaceURI != "http://www.w3.org/2000/xmlns/")
                {
                    made.SetAttributeNode((XmlAttribute)document.ImportNode(attribute, true));
                }
            }
            foreach (XmlNode child in from.ChildNodes)
            {
                var element = child as XmlElement;
                if (element == null)
                {
                    made.AppendChild(document.ImportNode(child, true));
                }
                else
                {
                    Copy(element, made, element.NamespaceURI, element.LocalName);
                }
            }
        }

        private static XmlElement Only(XmlElement parent, string space, string name)
        {
            List<XmlElement> found = Children(parent).Where(each => Is(each, space, name)).ToList();
            if (found.Count != 1)
            {
                // More than one would be a wrapped copy.
                throw new InvalidSignature("there must be one " + name + " in " + parent.LocalName);
            }
            return found[0];
        }

        private static List<XmlElement> Children(XmlElement element)
        {
            return element.ChildNodes.OfType<XmlElement>().ToList();
        }

        private static bool Is(XmlElement element, string space, string name)
        {
            return element.NamespaceURI == space && element.LocalName == name;
        }

        private static XmlDocument NewDocument()
        {
            // Without this, white space is lost, and with it every signature over a document that has some.
            return new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
        }

        private static XmlDocument Parse(string xml)
        {
            XmlDocument document = NewDocument();
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };
            using (XmlReader reader = XmlReader.Create(new StringReader(xml), settings))
            {
                document.Load(reader);
            }
            return document;
        }

        private static IEnumerable<X509Certificate2> ReadCertificates(string file)
        {
            const string begin = "-----BEGIN CERTIFICATE-----";
            const string end = "-----END CERTIFICATE-----";
            string text = File.ReadAllText(file);
            for (int start = text.IndexOf(begin); start >= 0; start = text.IndexOf(begin, start + 1))
            {
                int from = start + begin.Length;
                string base64 = text.Substring(from, text.IndexOf(end, from) - from);
                yield return new X509Certificate2(Convert.FromBase64String(base64));
            }
        }

        /// <summary>SignedXml knows the attribute Id in some spellings only by a DTD, which nobody sends.</summary>
        private sealed class DeliverySignature : SignedXml
        {
            private readonly XmlElement root;

            public DeliverySignature(XmlElement root) : base(root)
            {
                this.root = root;
            }

            public override XmlElement GetIdElement(XmlDocument document, string id)
            {
                return root.GetAttribute("Id") == id ? root : null;
            }
        }
    }
}

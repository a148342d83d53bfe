using System;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;
using System.Xml;

namespace MinaMeddelanden.MessageV3
{
    /// <summary>What the generated proxy cannot do: send a signed delivery without writing it anew.</summary>
    public partial class Message
    {
        private const int Tries = 3;

        /// <summary>Hands over a signed delivery and returns its distribution id.</summary>
        public string DistributeSigned(string signedDelivery)
        {
            // The schema has the root under another name than the one it was signed under; receivers know that.
            string renamed = "<signedDelivery"
                + signedDelivery.Substring(
                    "<SignedDelivery".Length, signedDelivery.Length - "<SignedDelivery</SignedDelivery>".Length)
                + "</signedDelivery>";
            byte[] envelope = Encoding.UTF8.GetBytes(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
                + "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>"
                + "<distributeSecure xmlns=\"" + Delivery.MessageV3 + "\">" + renamed + "</distributeSecure>"
                + "</soap:Body></soap:Envelope>");

            for (int tried = 1; ; tried++)
            {
                try
                {
                    return Distribute(envelope);
                }
                catch (WebException error) when (error.Response == null && tried < Tries)
                {
                    // Nobody knows whether it arrived. The same bytes again are safe: the dispatcher knows them, and
                    // gives the same id. Signed anew, they would be a second message.
                    Thread.Sleep(TimeSpan.FromSeconds(tried));
                }
            }
        }

        private string Distribute(byte[] envelope)
        {
            // The proxy makes the request, so that client certificates that are set on it hold here too.
            var request = (HttpWebRequest)GetWebRequest(new Uri(Url));
            request.Method = "POST";
            request.ContentType = "text/xml; charset=utf-8";
            request.Headers["SOAPAction"] = "\"\"";
            request.Timeout = Timeout;
            request.ReadWriteTimeout = Timeout;
            using (Stream stream = request.GetRequestStream())
            {
                stream.Write(envelope, 0, envelope.Length);
            }
            try
            {
                using (WebResponse response = request.GetResponse())
                {
                    XmlNodeList ids = Read(response).GetElementsByTagName("return", Delivery.MessageV3);
                    if (ids.Count != 1)
                    {
                        throw new XmlException("the answer holds no distribution id");
                    }
                    return ids[0].InnerText;
                }
            }
            catch (WebException error) when (IsXml(error.Response))
            {
                // SOAP 1.1 has a fault travel as HTTP 500.
                ApplicationFault fault = ApplicationFault.In(Read(error.Response));
                if (fault == null)
                {
                    throw;
                }
                throw fault;
            }
        }

        private static bool IsXml(WebResponse response)
        {
            return response != null && response.ContentType.StartsWith("text/xml", StringComparison.OrdinalIgnoreCase);
        }

        private static XmlDocument Read(WebResponse response)
        {
            var document = new XmlDocument { XmlResolver = null };
            using (Stream stream = response.GetResponseStream())
            {
                document.Load(stream);
            }
            return document;
        }
    }
}

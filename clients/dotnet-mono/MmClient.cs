using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Threading;
using System.Web.Services.Protocols;
using MinaMeddelanden.MessageV3;
using MinaMeddelanden.RecipientV3;

namespace MinaMeddelanden
{
    /// <summary>Asks who can be reached, signs and sends a message, follows it, and verifies a sealed one.</summary>
    public static class MmClient
    {
        private const int CallTimeout = 60 * 1000;
        private const string Usage = "usage: mm-client ask REGISTER SENDER RECIPIENT...\n"
            + "       mm-client send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF\n"
            + "       mm-client follow MESSAGE SENDER ID\n"
            + "       mm-client verify FILE CERTIFICATE...";

        private static readonly TimeSpan LongestFollow = TimeSpan.FromMinutes(1);
        private static readonly TimeSpan BetweenQuestions = TimeSpan.FromSeconds(1);

        public static int Main(string[] arguments)
        {
            // What is printed does not depend on the locale of whoever starts this program.
            Console.SetOut(Utf8(Console.OpenStandardOutput()));
            Console.SetError(Utf8(Console.OpenStandardError()));
            // .NET asks before it sends a body. Services that do not answer that question cost a pause in every call.
            ServicePointManager.Expect100Continue = false;
            try
            {
                return Run(arguments);
            }
            catch (InvalidSignature error)
            {
                Console.Error.WriteLine("invalid " + error.Message);
                return 1;
            }
            catch (Exception error)
            {
                ApplicationFault fault = error as ApplicationFault ?? ApplicationFault.In((error as SoapException)?.Detail);
                Console.Error.WriteLine(OneLine(fault == null ? Describe(error) : fault.Message));
                return fault == null ? 2 : 1;
            }
        }

        private static int Run(string[] arguments)
        {
            string command = arguments.FirstOrDefault();
            if (command == "ask" && arguments.Length >= 4)
            {
                Ask(arguments[1], arguments[2], arguments.Skip(3).ToArray());
            }
            else if (command == "send" && arguments.Length == 8)
            {
                Signer signer = Signer.Load(arguments[2], arguments[3]);
                string signed = Delivery.Sign(
                    Delivery.Build(signer, arguments[4], arguments[5], arguments[6], arguments[7]), signer);
                Console.WriteLine(Connect(arguments[1]).DistributeSigned(signed));
            }
            else if (command == "follow" && arguments.Length == 4)
            {
                Console.WriteLine(Follow(Connect(arguments[1]), arguments[2], arguments[3]));
            }
            else if (command == "verify" && arguments.Length >= 3)
            {
                VerifiedDocument[] verified = new Verification(arguments.Skip(2)).VerifySealed(arguments[1]);
                Console.WriteLine("seal " + verified[0].Signer);
                Console.WriteLine("signature " + verified[1].Signer);
            }
            else
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }
            return 0;
        }

        private static Message Connect(string address)
        {
            return new Message { Url = address, Timeout = CallTimeout };
        }

        private static void Ask(string address, string sender, string[] recipients)
        {
            using (var register = new Recipient { Url = address, Timeout = CallTimeout })
            {
                foreach (ReachabilityStatus status in register.isReachable(sender, recipients))
                {
                    // A pending account waits for signatures and has no mailbox yet.
                    AccountStatus account = status.AccountStatus;
                    bool reachable = account.Type == AccountTypes.Secure && !account.Pending && status.SenderAccepted;
                    Console.WriteLine(account.RecipientId + (reachable ? " yes" : " no"));
                }
            }
        }

        /// <summary>The last status of a delivery: where it has ended, or where it stood after a minute.</summary>
        private static string Follow(Message dispatcher, string sender, string distributionId)
        {
            DateTime stopAt = DateTime.UtcNow + LongestFollow;
            while (true)
            {
                DistributionStatus status = Status(dispatcher, sender, distributionId);
                bool ended = status != null
                    && (status.Type != DistributionTypes.Digital || status.DeliveryStatus != DeliveryStatus.Pending);
                if (ended || (status != null && DateTime.UtcNow >= stopAt))
                {
                    // Paper and Not have no delivery status: the sender sends it on paper.
                    return status.DeliveryStatusSpecified ? status.DeliveryStatus.ToString() : status.Type.ToString();
                }
                if (DateTime.UtcNow >= stopAt)
                {
                    throw new TimeoutException("the delivery is not unpacked yet; ask again later");
                }
                Thread.Sleep(BetweenQuestions);
            }
        }

        /// <summary>The delivery's status, or null while the dispatcher has not unpacked it.</summary>
        private static DistributionStatus Status(Message dispatcher, string sender, string distributionId)
        {
            try
            {
                // A secure delivery has one recipient. An empty list arrives as null.
                return dispatcher.checkDistributionStatus(sender, distributionId)?.FirstOrDefault();
            }
            catch (SoapException fault)
                when (ApplicationFault.In(fault.Detail)?.ErrorCode == ApplicationFault.NotFinished)
            {
                return null;
            }
        }

        private static string Describe(Exception error)
        {
            // The message of mono's proxy leaves the status out.
            var response = (error as WebException)?.Response as HttpWebResponse;
            string message = response == null ? error.Message : "HTTP status " + (int)response.StatusCode;
            return error.GetType().Name + ": " + message;
        }

        private static string OneLine(string text)
        {
            return text.Replace("\r", "").Replace("\n", " ");
        }

        private static StreamWriter Utf8(Stream stream)
        {
            return new StreamWriter(stream, new UTF8Encoding(false)) { AutoFlush = true };
        }
    }
}

using System;
using System.Globalization;
using System.Xml;

namespace MinaMeddelanden
{
    /// <summary>
    /// The service refused. Below 5000 the same call may be repeated later; from 5000 on, change something first.
    /// </summary>
    /// <remarks>The generator makes no class for it, as it makes none for any fault detail.</remarks>
    public sealed class ApplicationFault : Exception
    {
        /// <summary>The ErrorCode of a delivery that is not unpacked yet: ask later.</summary>
        public const int NotFinished = 5004;

        private const string CommonV3 = "http://minameddelanden.gov.se/schema/Common/v3";

        public int ErrorCode { get; }

        private ApplicationFault(int errorCode, string description, string callId)
            : base("fault " + errorCode + " " + description + " (CallId " + callId + ")")
        {
            ErrorCode = errorCode;
        }

        /// <summary>The applicationFault below a fault's detail, or null where there is none.</summary>
        public static ApplicationFault In(XmlNode detail)
        {
            var names = new XmlNamespaceManager(new NameTable());
            names.AddNamespace("c", CommonV3);
            XmlNode fault = detail?.SelectSingleNode(".//c:applicationFault", names);
            if (fault == null)
            {
                return null;
            }
            int errorCode = int.Parse(fault.SelectSingleNode("c:ErrorCode", names).InnerText, CultureInfo.InvariantCulture);
            string description = fault.SelectSingleNode("c:Description", names).InnerText;
            return new ApplicationFault(errorCode, description, fault.SelectSingleNode("c:CallId", names).InnerText);
        }
    }
}

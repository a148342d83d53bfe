using System;
using System.Linq;
using System.Text;

namespace MinaMeddelanden
{
    /// <summary>Reads the DER values of a key or a certificate's subject, one after the other.</summary>
    public sealed class DerReader
    {
        public const byte Integer = 0x02;
        public const byte OctetString = 0x04;
        public const byte Sequence = 0x30;
        public const byte Set = 0x31;

        private const byte ObjectIdentifier = 0x06;
        private const byte BmpString = 0x1e;

        private readonly byte[] data;
        private int position;

        public DerReader(byte[] data)
        {
            this.data = data;
        }

        public bool AtEnd => position == data.Length;

        /// <summary>A reader for what is inside the next value.</summary>
        public DerReader Enter(byte tag) => new DerReader(Read(tag));

        /// <summary>The content of the next value, which must have this tag.</summary>
        public byte[] Read(byte tag)
        {
            byte found = data[position++];
            if (found != tag)
            {
                throw new FormatException("DER holds tag " + found + " where " + tag + " belongs");
            }
            int length = data[position++];
            if (length >= 0x80)
            {
                int octets = length - 0x80;
                length = 0;
                for (int read = 0; read < octets; read++)
                {
                    length = (length << 8) + data[position++];
                }
            }
            byte[] content = new byte[length];
            Array.Copy(data, position, content, 0, length);
            position += length;
            return content;
        }

        /// <summary>A positive number without the zero that keeps its sign.</summary>
        public byte[] ReadUnsigned() => Read(Integer).SkipWhile(octet => octet == 0).ToArray();

        /// <summary>An object identifier in dotted form.</summary>
        public string ReadObjectIdentifier()
        {
            var dotted = new StringBuilder();
            int arc = 0;
            foreach (byte octet in Read(ObjectIdentifier))
            {
                arc = (arc << 7) + (octet & 0x7f);
                if (octet >= 0x80)
                {
                    continue;
                }
                if (dotted.Length == 0)
                {
                    // The first two arcs share a number.
                    int first = Math.Min(arc / 40, 2);
                    dotted.Append(first).Append('.').Append(arc - 40 * first);
                }
                else
                {
                    dotted.Append('.').Append(arc);
                }
                arc = 0;
            }
            return dotted.ToString();
        }

        /// <summary>Text of any of the string types that subjects have.</summary>
        public string ReadString()
        {
            byte tag = data[position];
            return (tag == BmpString ? Encoding.BigEndianUnicode : Encoding.UTF8).GetString(Read(tag));
        }
    }
}

# What lab runs in a guest, as root, to see which guests reach which; lab/machines/neighbours.py sends it to `perl -`, with
# its arguments and what it is to read after __END__. It is of Perl's smallest, which every Debian and Ubuntu has. Nothing
# in the guest is changed: frames are made here, and leave by the interface itself, past the guest's routes and firewall.
#
#   listen MARK ADDRESS SECONDS   hears what arrives at the interface with that address, until `heard`, or so many seconds
#   try MARK ADDRESS GATEWAY LOGIN SECONDS
#                                 tries to reach others in all ways; reads `guest NUMBER ADDRESS HARDWARE [IPV6]` for each,
#                                 and `beyond ADDRESS PORT`; NUMBER is the own one in the first line, `self NUMBER`
#   heard MARK                    says what was heard, and leaves nothing behind
use strict;
use warnings;
no warnings 'once'; # DATA is there once the program is read
use Errno;
use Socket;

my $ALL = 3;             # ETH_P_ALL
my $OUTGOING = 4;        # PACKET_OUTGOING
my $EVERYBODY = "\xff" x 6;
my @PORTS = (22, 80);

my ($mode, $mark, @words) = @ARGV;
$mark =~ /^[0-9a-f]+$/ or die "no mark\n";
my $folder = "/run/lab-neighbours.$mark";
my %modes = (listen => \&listen_, try => \&try_, heard => \&heard);
$| = 1;
$modes{$mode}->(@words);

# The interface that has an address, its index and its hardware address.
sub interface {
    my ($address) = @_;
    for my $line (`ip -4 -o address show`) {
        my (undef, $name, undef, $at) = split ' ', $line;
        next unless $at =~ m{^\Q$address\E/};
        return ($name, map { first_line("/sys/class/net/$name/$_") } qw(ifindex address));
    }
    die "no interface has the address $address\n";
}

sub first_line {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    my $line = <$file>;
    chomp $line;
    return $line;
}

# A socket for whole frames of one interface.
sub frames {
    my ($index) = @_;
    socket my $socket, 17, SOCK_RAW, unpack('n', pack 'S', $ALL) or die "no raw socket: $!\n";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 1 << 22;
    bind $socket, pack('SnlSCCa8', 17, $ALL, $index, 0, 0, 0, '') or die "no raw socket there: $!\n";
    return $socket;
}

sub hardware { return pack 'H12', join '', split /:/, $_[0] }

sub listen_ {
    my ($address, $seconds) = @_;
    my ($name, $index, $hardware) = interface($address);
    my $socket = frames($index);
    mkdir $folder, 0700 or die "$folder: $!\n";
    my ($ipv6) = map { m{inet6 ([0-9a-f:]+)/} } `ip -6 -o address show dev $name scope global`;
    print "hardware $hardware ", $ipv6 // '', "\n";
    tell_keys();
    my $pid = fork // die "no process: $!\n";
    if ($pid) {
        open my $file, '>', "$folder/pid" or die "$folder: $!\n";
        print $file $pid;
        exit 0;
    }
    setpgrp;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $SIG{ALRM} = sub { forget(); exit 0 };
    alarm $seconds;
    open my $file, '>', "$folder/heard" or exit 1;
    my %seen;
    while (1) {
        my $from = recv $socket, my $frame, 2048, 0;
        next unless defined $from;
        next if (unpack 'SnlSC', $from)[4] == $OUTGOING;
        my $line = meaning($frame);
        syswrite $file, "$line\n" if defined $line && !$seen{$line}++;
    }
}

# What a frame says: `NUMBER WAY` of a guest that tries, `arp ADDRESS` of who looks for others.
sub meaning {
    my ($frame) = @_;
    return "$1 $2" if $frame =~ /lab \Q$mark\E (\w+) ([\w-]+);/;
    return undef unless length $frame >= 42 && substr($frame, 12, 2) eq "\x08\x06";
    return 'arp ' . join '.', unpack 'C4', substr $frame, 28, 4;
}

# The keys that open accounts: `key USER KIND KEY`.
sub tell_keys {
    while (my ($user, $home) = (getpwent)[0, 7]) {
        for my $path (map { "$home/.ssh/$_" } qw(authorized_keys authorized_keys2)) {
            next unless -f $path && -s _ < 1 << 20 && open my $file, '<', $path;
            while (<$file>) {
                print "key $user $1 $2\n" if m{((?:ssh|ecdsa|sk)-[\w\@.-]+)\s+(AAAA[\w+/=]+)} && !/^\s*#/;
            }
        }
    }
}

sub heard {
    my $pid = first_line("$folder/pid");
    # What was sent last may still be on its way through this process.
    select undef, undef, undef, 0.3;
    open my $file, '<', "$folder/heard" or die "$folder: $!\n";
    print <$file>;
    kill 'KILL', $pid;
    forget();
}

sub forget {
    unlink map { "$folder/$_" } qw(pid heard);
    rmdir $folder;
}

sub try_ {
    my ($address, $gateway, $login, $seconds) = @_;
    my (undef, $index, $hardware) = interface($address);
    my ($self, @guests, @beyond);
    while (<main::DATA>) {
        my ($kind, @rest) = split;
        $self = $rest[0] if $kind eq 'self';
        push @guests, [@rest] if $kind eq 'guest';
        push @beyond, [@rest] if $kind eq 'beyond';
    }
    my $socket = frames($index);
    my $own = hardware($hardware);
    my $way_out = ask_for($socket, $own, $address, $gateway);
    print "gateway ", $way_out ? unpack('H12', $way_out) : '-', "\n";
    # As whoever works there: with their rights, and no more.
    my $pid = fork // die "no process: $!\n";
    if (!$pid) {
        become($login);
        connect_to($seconds, map { [@$_[0, 1]] } @guests) if @guests;
        print "beyond $_->[0] $_->[1]\n" for reached($seconds, @beyond);
        exit 0;
    }
    for (1 .. 2) {
        sent($socket, $_) for made($self, $own, $address, $way_out, @guests);
        select undef, undef, undef, 0.2;
    }
    waitpid $pid, 0;
    exit($? ? 1 : 0);
}

# Sends a frame, or ends it all: nothing follows from what was never sent.
sub sent {
    my ($socket, $frame) = @_;
    for (1 .. 100) {
        return if defined send $socket, $frame, 0;
        last unless $!{ENOBUFS} || $!{EAGAIN} || $!{EINTR};
        select undef, undef, undef, 0.02;
    }
    die "a frame could not be sent: $!\n";
}

sub become {
    my ($login) = @_;
    my ($uid, $gid) = (getpwnam $login)[2, 3];
    ($uid, $gid) = (getpwnam 'nobody')[2, 3] unless defined $uid;
    $( = $gid;
    $) = "$gid $gid";
    ($<, $>) = ($uid, $uid);
    die "still root\n" if $> == 0 || $< == 0;
}

# The hardware address that answers for an address, "" for nobody's.
sub ask_for {
    my ($socket, $own, $address, $wanted) = @_;
    for (1 .. 3) {
        sent($socket, arp($own, $address, $wanted));
        my $end = time + 2;
        while ((my $left = $end - time) > 0) {
            vec(my $ready = '', fileno $socket, 1) = 1;
            last unless select $ready, undef, undef, $left;
            recv $socket, my $frame, 2048, 0 or next;
            next unless length $frame >= 42 && substr($frame, 12, 2) eq "\x08\x06";
            return substr $frame, 22, 6
                if substr($frame, 20, 2) eq "\0\2" && substr($frame, 28, 4) eq inet_aton($wanted);
        }
    }
    return '';
}

sub arp {
    my ($own, $address, $wanted) = @_;
    return $EVERYBODY . $own . "\x08\x06\0\1\x08\0\6\4\0\1" . $own . inet_aton($address) . "\0" x 6 . inet_aton($wanted)
        . "\0" x 18;
}

# All frames that are tried, each with who sends it and by which way.
sub made {
    my ($self, $own, $address, $way_out, @guests) = @_;
    my $note = sub { "lab $mark $self $_[0];" };
    my $link_local = link_local($own);
    my @frames = (
        $EVERYBODY . $own . ipv4($address, '255.255.255.255', $note->('broadcast')),
        "\x33\x33\0\0\0\1" . $own . ipv6($link_local, inet6('ff02::1'), $note->('ipv6-multicast')),
    );
    for my $guest (@guests) {
        my (undef, $at, $there, $global) = @$guest;
        my $its = hardware($there);
        push @frames, arp($own, $address, $at);
        push @frames, $its . $own . ipv4($address, $at, $note->('direct'));
        push @frames, $its . $own . ipv6($link_local, link_local($its), $note->('ipv6-direct'));
        next unless $way_out;
        push @frames, $way_out . $own . ipv4($address, $at, $note->('gateway'));
        push @frames, $way_out . $own . ipv6($link_local, inet6($global), $note->('ipv6-gateway')) if $global;
    }
    return @frames;
}

sub ipv4 {
    my ($from, $to, $data) = @_;
    my $udp = pack('nnnn', 9, 9, 8 + length $data, 0) . $data;
    my $head = pack 'CCnnnCCna4a4', 0x45, 0, 20 + length $udp, 0, 0, 64, 17, 0, inet_aton($from), inet_aton($to);
    my $sum = unpack '%32n*', $head;
    $sum = ($sum & 0xffff) + ($sum >> 16) for 1 .. 2;
    substr $head, 10, 2, pack 'n', ~$sum & 0xffff;
    return "\x08\0" . $head . $udp;
}

# Without a next header: nobody's protocol, so that nobody answers.
sub ipv6 {
    my ($from, $to, $data) = @_;
    return "\x86\xdd" . pack('NnCC', 6 << 28, length $data, 59, 64) . $from . $to . $data;
}

sub inet6 { return Socket::inet_pton(Socket::AF_INET6, $_[0]) }

sub link_local {
    my @octets = unpack 'C6', $_[0];
    return "\xfe\x80" . "\0" x 6 . pack 'C8', $octets[0] ^ 2, @octets[1, 2], 0xff, 0xfe, @octets[3 .. 5];
}

sub connect_to {
    my ($seconds, @guests) = @_;
    my @doors = map { my $guest = $_; map { [$guest->[1], $_, $guest->[0]] } @PORTS } @guests;
    print "tcp $_->[2] $_->[1]\n" for reached($seconds, @doors);
}

# Those of the doors (ADDRESS PORT ...) that somebody opens, a few hundred at a time.
sub reached {
    my ($seconds, @doors) = @_;
    my @open;
    while (my @some = splice @doors, 0, 400) {
        my %waiting;
        for my $door (@some) {
            socket my $socket, AF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK, 0 or die "no socket: $!\n";
            my $there = pack_sockaddr_in($door->[1], inet_aton($door->[0]));
            # What has failed by now would be ready for writing, too.
            next unless connect($socket, $there) || $!{EINPROGRESS};
            $waiting{fileno $socket} = [$socket, $door];
        }
        my $end = time + $seconds;
        while (%waiting && (my $left = $end - time) > 0) {
            my $writable = '';
            vec($writable, $_, 1) = 1 for keys %waiting;
            last unless select undef, $writable, undef, $left;
            for my $number (grep { vec $writable, $_, 1 } keys %waiting) {
                my ($socket, $door) = @{delete $waiting{$number}};
                my $failed = unpack 'i', getsockopt $socket, SOL_SOCKET, SO_ERROR;
                push @open, $door if !$failed && getpeername $socket;
            }
        }
    }
    return @open;
}

# Passwords of a person's programs and telephones, made and withdrawn by the person: /devices. What is written in the
# directory stands in roles/openldap/README.md; `bsw people app-password` (deploy/people/devices.py) writes the same.
package Lemonldap::NG::Portal::Plugins::BswDevices;

use strict;
use Mouse;
use utf8;
use feature 'fc';
use Crypt::PRNG qw(random_string_from);
use Digest::SHA qw(sha256_hex);
use Encode qw(decode_utf8 encode_utf8 is_utf8);
use POSIX qw(strftime);

extends 'Lemonldap::NG::Portal::Main::Plugin';

use constant hook      => { sendHtml => 'ownTemplate' };
use constant templates => '/usr/local/share/bsw/lemonldap/templates';

my @USES      = qw(mail calendar mobile);
my %PROTOCOLS = ( mail => [qw(imap smtp sieve)], calendar => ['dav'], mobile => ['activesync'] );
# 116 bits, none that looks like another
my $ALPHABET = join '', grep { !/[0O1lI]/ } ( 'a' .. 'z', 'A' .. 'Z', 0 .. 9 );

# Each form is good once: nobody else's page can send it, and a page that is loaded again makes no second password.
has forms => (
    is      => 'ro',
    lazy    => 1,
    default => sub {
        my $forms = $_[0]->p->loadModule('Lemonldap::NG::Portal::Lib::OneTimeToken');
        $forms->timeout( $_[0]->conf->{formTimeout} );
        return $forms;
    }
);

sub init {
    my ($self) = @_;
    $self->addAuthRouteWithRedirect( devices => 'show', ['GET'] );
    $self->addAuthRoute( devices => 'change', ['POST'] );
    return 1;
}

# Its page and its words are not among the package's.
sub ownTemplate {
    my ( $self, $req, $name, $args ) = @_;
    return 0 unless $$name eq 'devices';
    unshift @{ $args->{templateDir} }, templates;
    $args->{params}->{TROVER} = $self->p->getTrOver( $req, templates );
    return 0;
}

sub show {
    my ( $self, $req, %more ) = @_;
    my @devices = map {
        my $device = $_;
        my %opens  = map { $_ => 1 } @{ $device->{protocols} };
        {
            NAME  => encode_utf8( $device->{name} ),
            SINCE => $device->{since},
            USES  => [ map { { USE => $_ } } grep { $opens{ $PROTOCOLS{$_}[0] } } @USES ],
        }
    } $self->devices($req);
    my %params = (
        DEVICES => \@devices,
        USES    => [ map { { USE => $_ } } @USES ],
        TOKEN   => $self->forms->createToken( { devices => $req->userData->{_session_id} } ),
        UID     => $req->userData->{uid},
        %more,
    );
    return $self->p->sendHtml( $req, 'devices', params => \%params );
}

sub change {
    my ( $self, $req ) = @_;
    my $form = $self->forms->getToken( $req->param('token') // '' );
    return $self->show( $req, PROBLEM => 'bswFormUsed' )
      unless $form and ( $form->{devices} // '' ) eq $req->userData->{_session_id};
    my $name = $req->param('name') // '';
    $name = decode_utf8($name) unless is_utf8($name);
    $name =~ s/\s+/ /g;
    $name =~ s/^ | $//g;
    return $req->param('withdraw') ? $self->withdraw( $req, $name ) : $self->make( $req, $name );
}

sub make {
    my ( $self, $req, $name ) = @_;
    my @uses = grep { $req->param("for_$_") } @USES;
    return $self->show( $req, PROBLEM => 'bswNameNeeded' ) if $name !~ /^[[:print:]]{1,60}$/;
    return $self->show( $req, PROBLEM => 'bswUseNeeded' ) unless @uses;
    return $self->show( $req, PROBLEM => 'bswNameTaken' ) if grep { fc( $_->{name} ) eq fc($name) } $self->devices($req);

    my $password  = join '-', map { random_string_from( $ALPHABET, 4 ) } 1 .. 5;
    my @protocols = map { @{ $PROTOCOLS{$_} } } @uses;
    my %device    = (
        digest    => sha256_hex($password),
        since     => strftime( '%Y-%m-%d', localtime ),
        protocols => \@protocols,
        name      => $name,
    );
    return $self->show( $req, PROBLEM => 'bswNotNow' ) unless $self->write( $req, add => \%device );
    return $self->show( $req, PASSWORD => $password, DEVICE => encode_utf8($name) );
}

sub withdraw {
    my ( $self, $req, $name ) = @_;
    for my $device ( $self->devices($req) ) {
        next unless $device->{name} eq $name;
        return $self->show( $req, PROBLEM => 'bswNotNow' ) unless $self->write( $req, delete => $device );
        return $self->show( $req, WITHDRAWN => encode_utf8($name) );
    }
    return $self->show($req);
}

# The directory, under the portal's own account; a person may not write this.
sub directory {
    my ($self) = @_;
    my $module = $self->p->_userDB;
    $module->validateLdap;
    my $ldap = $module->ldap;
    $ldap->bind;
    return $ldap;
}

sub devices {
    my ( $self, $req ) = @_;
    my $found = $self->directory->search(
        base   => $req->userData->{_dn},
        scope  => 'base',
        filter => '(objectClass=bswPerson)',
        attrs  => ['bswDevice'],
    );
    $self->logger->error( 'Devices: ' . $found->error ) if $found->code;
    my $entry = $found->entry(0) or return;
    my @devices;
    for my $value ( $entry->get_value('bswDevice') ) {
        $value = decode_utf8($value) unless is_utf8($value);
        my ( $digest, $since, $protocols, $name ) = split / /, $value, 4;
        push @devices, { digest => $digest, since => $since, protocols => [ split /,/, $protocols ], name => $name };
    }
    return sort { fc( $a->{name} ) cmp fc( $b->{name} ) } @devices;
}

sub write {
    my ( $self, $req, $verb, $device ) = @_;
    my $value = join ' ', $device->{digest}, $device->{since}, join( ',', @{ $device->{protocols} } ), $device->{name};
    my @values = map { "$_:$device->{digest}" } @{ $device->{protocols} };
    my $done   = $self->directory->modify( $req->userData->{_dn},
        $verb => { bswAppPassword => \@values, bswDevice => encode_utf8($value) } );
    my $what = encode_utf8 "application password '$device->{name}' of " . $req->userData->{uid};
    if ( $done->code ) {
        $self->logger->error( "$what: $verb: " . $done->error );
        return 0;
    }
    $self->userLogger->notice( "$what: " . ( $verb eq 'add' ? 'made' : 'withdrawn' ) );
    return 1;
}

1;
